/** The members of JWK sets that the signer does not use: which of them are nothing to it, and which are mistakes. */

import { distance } from 'fastest-levenshtein';

/** Members that other programs write. A member outside this list is never named: it could be a key in the wrong place. */
const common = ['x5u', 'x5c', 'x5t', 'x5t#S256', 'iat', 'nbf', 'exp', 'created', 'created_at', 'createdAt'];
const isCommon: ReadonlySet<string> = new Set(common);

/** Longer names cannot be slips of the members that there are. */
const longestSlip = 12;

/**
 * The known member that is most likely meant by another one; undefined if it is none.
 * @param present a member that is there as well is not meant, unless only the letter case or `-` and `_` differ
 */
export function meantMember(
  member: string,
  known: readonly string[],
  present: Readonly<Record<string, unknown>>,
): string | undefined {
  if (member.length > longestSlip || known.includes(member) || isCommon.has(member)) return undefined;
  const folded = fold(member);
  return known.find((name) => {
    const wanted = fold(name);
    if (folded === wanted) return true;
    return !Object.hasOwn(present, name) && name.length > 2 && isNear(folded, wanted);
  });
}

/** Lists the members that are not known, each once. @param objects each with the members that are known in it */
export function ignoredMembers(
  objects: readonly (readonly [object: unknown, known: readonly string[]])[],
): string {
  const found = new Set<string>();
  let unnamed = 0;
  for (const [object, known] of objects) {
    for (const member of Object.keys(Object(object))) {
      if (known.includes(member)) continue;
      if (isCommon.has(member)) found.add(`"${member}"`);
      else unnamed++;
    }
  }
  const others = unnamed === 0 ? [] : [found.size === 0 ? `${unnamed}` : `${unnamed} more`];
  return [...found, ...others].join(', ');
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '');
}

/** One letter is missing, added or wrong, or two are exchanged. */
function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  return distance(a, b) <= 1 || [...a].sort().join() === [...b].sort().join();
}
