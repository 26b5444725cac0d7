/** A value, or everything that is wrong: what checks and parsers return where a failure is an ordinary outcome. */

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly string[] };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refused(...problems: readonly string[]): Result<never> {
  return { ok: false, problems };
}

/** With more problems than this, the rest is not looked for: a log line and `/status` repeat them all. */
export const maxProblems = 1024;

export const moreProblems = 'there are more problems; correct these first';
