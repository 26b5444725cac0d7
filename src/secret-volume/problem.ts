/**
 * What can be wrong with a secret volume. Owns the closed lists of codes and the error that carries them.
 * Messages name files, sizes, owners and modes; never content.
 */

/** Why a reading could not be taken, or was refused. */
export type VolumeProblemCode =
  | 'missing'
  | 'not_a_directory'
  | 'empty'
  | 'unreadable'
  | 'bad_layout'
  | 'not_a_file'
  | 'too_large'
  | 'too_many_files'
  | 'too_deep'
  | 'unsettled'
  | 'io_error'
  | 'missing_file'
  | 'empty_file'
  | 'not_text'
  | 'not_json'
  | 'refused';

/** One thing that is wrong; `name` is the secret file's name where the problem has one. */
export interface VolumeProblem {
  readonly code: VolumeProblemCode;
  readonly name?: string;
  readonly message: string;
}

/** Every problem of one attempt to read a volume, all at once. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly problems: readonly VolumeProblem[];

  /**
   * @param problems what is wrong; a text alone is one problem of the code `refused`. It reaches health and logs, so it
   * must not repeat a secret.
   */
  constructor(problems: readonly VolumeProblem[] | string) {
    const all = typeof problems === 'string' ? [{ code: 'refused', message: problems } as const] : problems;
    super(all.map((problem) => problem.message).join('; '));
    this.problems = Object.freeze([...all]);
  }
}

/**
 * Something about a volume that works, but not as its owner may believe. Told once.
 *
 * - `never_updates`: a subPath or single-file mount, which stays as it was when the container started
 * - `plain_layout`: files without the kubelet's `..data` link; they are read once they have settled, each on its own
 * - `unreliable_events`: a file system that does not report every change; the poll finds them
 * - `layout_changed`: the directory went from plain to atomic, or back
 * - `trailing_newline`: `text` left out the newline at the end of a file
 */
export interface VolumeWarning {
  readonly code:
    | 'never_updates'
    | 'plain_layout'
    | 'unreliable_events'
    | 'layout_changed'
    | 'trailing_newline';
  readonly name?: string;
  readonly message: string;
}

/** The error of a single problem. */
export function volumeError(code: VolumeProblemCode, message: string): VolumeError {
  return new VolumeError([{ code, message }]);
}

/** A problem or a warning about one file. */
export function about<const C>(
  name: string,
  code: C,
  what: string,
): { readonly code: C; readonly name: string; readonly message: string } {
  return { code, name, message: `${JSON.stringify(name)} ${what}` };
}

/** The `code` of a failed system call (`ENOENT`, `EACCES`, ...), or undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** All that is repeated of an unforeseen error: its message could quote a secret. */
export function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
