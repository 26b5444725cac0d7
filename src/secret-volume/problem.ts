/**
 * The problems and warnings of a secret volume: the closed lists of codes, and the error. Messages contain names, sizes,
 * owners and modes of files, but never content.
 */

/** Why the volume could not be read, or its content was refused. */
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

/** One problem. `name` is the name of the file, if the problem is about one file. */
export interface VolumeProblem {
  readonly code: VolumeProblemCode;
  readonly name?: string;
  readonly message: string;
}

/** All problems of one attempt to read a volume. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly problems: readonly VolumeProblem[];

  /**
   * @param problems a text alone becomes one problem with the code `refused`. Messages appear in logs, so they must not
   * contain a secret.
   */
  constructor(problems: readonly VolumeProblem[] | string) {
    const all = typeof problems === 'string' ? [{ code: 'refused', message: problems } as const] : problems;
    super(all.map((problem) => problem.message).join('; '));
    this.problems = Object.freeze([...all]);
  }
}

/**
 * A volume that works, but perhaps not as its owner expects. Each warning is reported once.
 *
 * - `never_updates`: a subPath mount or a mount of a single file, which never changes after the container has started
 * - `plain_layout`: files without the kubelet's `..data` link. They are not replaced together, so they are read when they
 *   have not changed for a moment
 * - `unreliable_events`: a file system that does not report every change. The poll finds the others
 * - `layout_changed`: the directory changed from the plain to the atomic layout, or back
 * - `trailing_newline`: `text` removed the newline at the end of a file
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

/** An error with a single problem. */
export function volumeError(code: VolumeProblemCode, message: string): VolumeError {
  return new VolumeError([{ code, message }]);
}

/** A problem or a warning about one file. */
export function about<const C>(
  name: string,
  code: C,
  what: string,
): { readonly code: C; readonly name: string; readonly message: string } {
  return { code, name, message: `${quoted(name)} ${what}` };
}

/** JSON, with the characters escaped that it leaves as they are, but that a terminal obeys or does not show. */
function quoted(name: string): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  // A character beyond U+FFFF is two units, as JSON escapes it.
  return JSON.stringify(name).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    found.split('').map(escaped).join(''),
  );
}

/** The `code` of a failed system call (`ENOENT`, `EACCES`, ...), or undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The class name of an unexpected error. Its message is not repeated, because it could contain a secret. */
export function kindOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** Keeps a `VolumeError` of `parse`. Other errors often quote what they could not parse, so only their class is kept. */
export function asRefusal(error: unknown): VolumeError {
  if (error instanceof VolumeError) return error;
  const message = `the reading was refused: parse threw ${kindOf(error)}; throw a VolumeError to say why`;
  return volumeError('refused', message);
}
