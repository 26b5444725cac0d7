/** What is printed of the id of a key. The `kid` of a JWK is public, but people exchange it with the key. */

/** The length of a UUID. */
const maxShownLength = 36;

/** Whether a text is as long as the shortest keys, and random. */
export function couldBeKey(text: string): boolean {
  const isRandom = /^[0-9a-f]+$/i.test(text) || (/[a-z]/.test(text) && /[A-Z]/.test(text));
  return text.length >= 22 && isRandom;
}

/** The id, or its length if it could be a key. For the log and for reports. */
export function shownId(id: string): string {
  return id.length > maxShownLength || couldBeKey(id) ? `(an id of ${id.length} characters)` : id;
}
