/** Frees memory that the garbage collector would notice too late. */

/**
 * Frees the bytes at once, if they are all of their buffer. Nobody may use them afterwards. Until they are collected, the
 * parts of a long body, or many long bodies, would pile up.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
