/** HTTP headers as types. */

/** HTTP headers in the shape that `node:http` gives them, so an absent header may be undefined. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** HTTP headers by name. */
export type MessageHeaders = Readonly<Record<string, string>>;
