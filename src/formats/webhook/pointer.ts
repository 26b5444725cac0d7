/** JSON pointers (RFC 6901), by which a scheme finds the time in a body. */

/** Bodies may be a little deeper; see `bodyTime`. */
const maxNames = 32;

export function pointerProblem(pointer: string): string | undefined {
  return pointer.length <= 256 &&
    /^(?:\/(?:[^~/]|~[01])*)+$/.test(pointer) &&
    namesOf(pointer).length <= maxNames
    ? undefined
    : `must be a JSON pointer (RFC 6901) such as /webhookTimestamp or /data/created, of at most ${maxNames} names`;
}

/** The names on the way to the value (§4). */
export function namesOf(pointer: string): readonly string[] {
  return pointer
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * The value at a pointer; undefined if there is none. Only members and elements of the document count, so neither
 * `constructor` nor the `length` of a list is one.
 */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const name of namesOf(pointer)) {
    if (typeof value !== 'object' || value === null) return undefined;
    const member = Object.getOwnPropertyDescriptor(value, name);
    if (member?.enumerable !== true) return undefined;
    value = member.value;
  }
  return value;
}
