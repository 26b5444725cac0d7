/**
 * Claim names that a receiver could take for another one. RFC 7519 §4 compares names exactly, but Go's encoding/json and
 * other parsers ignore letter case, and some also ignore hyphens and underscores. A token with `iss` and `ISS` then has two
 * issuers.
 */

/** Combining accents, characters that nothing displays, and the hyphens and underscores that parsers ignore. */
const ignored = /[\u0300-\u036f\p{Default_Ignorable_Code_Point}_-]/gu;

/**
 * Returns the same text for names that some receiver could take for each other: they differ in letter case by any rule
 * (`ſ` and the Kelvin sign, `ı` and `İ` included), in compatibility forms such as full-width letters, or in what `ignored`
 * matches.
 */
export function foldName(name: string): string {
  if (/^[a-z0-9]*$/.test(name)) return name;
  if (/^[\x21-\x7e]*$/.test(name)) return name.toLowerCase().replaceAll('_', '').replaceAll('-', '');
  // Lower case first, for letters such as `ẞ` whose upper case is not that of their lower case.
  return name.normalize('NFKD').replace(ignored, '').toLowerCase().toUpperCase().toLowerCase();
}

/** Names by their folded form. */
export type NamesByFold = ReadonlyMap<string, string>;

export function namesByFold(names: Iterable<string>): NamesByFold {
  return new Map(Array.from(names, (name) => [foldName(name), name]));
}

/** The protected name that this one could be taken for. Undefined if there is none, or if it is that name itself. */
export function lookAlike(names: NamesByFold, name: string): string | undefined {
  const original = names.get(foldName(name));
  return original === name ? undefined : original;
}
