/**
 * What can be wrong with a secret volume. Owns the closed list of codes and the error that carries them.
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

  constructor(problems: readonly VolumeProblem[]) {
    super(problems.map((problem) => problem.message).join('; '));
    this.problems = problems;
  }
}

/** The error of a single problem. */
export function volumeError(code: VolumeProblemCode, message: string): VolumeError {
  return new VolumeError([{ code, message }]);
}

/** The `code` of a failed system call (`ENOENT`, `EACCES`, ...), or undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
