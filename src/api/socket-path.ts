/** Which paths of Unix sockets the signer listens on and the client connects to. */

/** What fits into the address of a Unix socket on Linux, without the NUL that ends it. */
const maxBytes = 107;

/** Why a text cannot be the path of a socket; undefined if it can. */
export function socketPathProblem(path: string): string | undefined {
  const { length } = new TextEncoder().encode(path);
  if (length > maxBytes) {
    return `the path of a Unix socket has at most ${maxBytes} bytes, and this one has ${length}; choose a shorter path, or a relative one`;
  }
  // Some programs take a leading `@` for a socket without a file, which no file permission protects.
  if (path === '' || path.startsWith('@')) {
    return 'expected the path of a file; write ./@name for a name that begins with @';
  }
  return undefined;
}
