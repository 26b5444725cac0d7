/** What differs between a message as it was received and the one that was signed. */

export type { Difference } from '../../key-sets/other-texts.ts';

/** How many bytes, for people. */
export function countBytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}
