/**
 * Claim names that a receiver could take for another one. RFC 7519 §4 compares names exactly, but Go's encoding/json and
 * other parsers ignore letter case, and some also ignore hyphens and underscores. A token with `iss` and `ISS` then has two
 * issuers. Other receivers look a claim up by a path, such as `realm_access.roles`, or give it another name.
 */

/** Marks, control characters, spaces, characters that nothing displays, and the hyphens and underscores that parsers ignore. */
const ignored = /[\p{M}\p{C}\p{Z}\p{Default_Ignorable_Code_Point}_-]/gu;

/** What separates the steps of a path into a claim, such as Lodash's `get` and Laravel's `Arr::get` read it. */
const separators: ReadonlySet<string> = new Set('.[/:');

/**
 * Names that .NET gives the same claim type (`ClaimTypeMapping.cs` of
 * https://github.com/AzureAD/azure-activedirectory-identitymodel-extensions-for-dotnet), for who the user is and what the
 * user may do.
 */
const sameInDotNet: readonly (readonly string[])[] = [
  ['role', 'roles', 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role'],
  ['sub', 'nameid', 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier'],
  ['unique_name', 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name'],
  ['email', 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress'],
  ['upn', 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn'],
  ['oid', 'http://schemas.microsoft.com/identity/claims/objectidentifier'],
  ['tid', 'http://schemas.microsoft.com/identity/claims/tenantid'],
  ['scp', 'http://schemas.microsoft.com/identity/claims/scope'],
];

/**
 * Returns the same text for names that some receiver could take for each other: they differ in letter case by any rule
 * (`ſ` and the Kelvin sign, `ı` and `İ` included), in compatibility forms such as full-width letters, or in what `ignored`
 * matches.
 */
export function foldName(name: string): string {
  if (/^[a-z0-9]*$/.test(name)) return name;
  if (/^[\x21-\x7e]*$/.test(name)) return name.toLowerCase().replaceAll('_', '').replaceAll('-', '');
  // Without marks first: NFKD sorts a run of them, in quadratic time.
  const letters = name.replace(ignored, '').normalize('NFKD').replace(ignored, '');
  // Lower case first, for letters such as `ẞ` whose upper case is not that of their lower case.
  return letters.toLowerCase().toUpperCase().toLowerCase();
}

/** Names that nothing else may be taken for. */
export interface ProtectedNames {
  /** By the folded form of the name, or of another name for it. */
  readonly byFold: ReadonlyMap<string, string>;
  /** The lengths of the folded forms. */
  readonly lengths: ReadonlySet<number>;
}

/**
 * Protects the registered names, those of fixed claims with their other names, and the required ones. A required name is
 * the caller's even if it is another name of a fixed claim.
 */
export function protectNames(
  registered: Iterable<string>,
  fixed: readonly string[],
  required: readonly string[],
): ProtectedNames {
  const itself = (name: string) => [foldName(name), name] as const;
  const aliases = fixed.flatMap((name) =>
    sameInDotNet
      .filter((same) => same.some((alias) => foldName(alias) === foldName(name)))
      .flatMap((same) => same.map((alias) => [foldName(alias), name] as const)),
  );
  const byFold = new Map([
    ...Array.from(registered, itself),
    ...aliases,
    ...[...fixed, ...required].map(itself),
  ]);
  return { byFold, lengths: new Set(Array.from(byFold.keys(), (fold) => fold.length)) };
}

/**
 * The protected name that this one, or the path that it spells, could be taken for. Undefined if there is none, or if it is
 * that name itself.
 */
export function lookAlike({ byFold, lengths }: ProtectedNames, name: string): string | undefined {
  const fold = foldName(name);
  const original = byFold.get(fold);
  if (original !== undefined) return original === name ? undefined : original;
  for (const length of lengths) {
    if (!separators.has(fold.charAt(length))) continue;
    const start = byFold.get(fold.slice(0, length));
    if (start !== undefined) return start;
  }
  return undefined;
}
