/** The error of a setting that cannot be used, in a flag, a variable or the configuration file. */

export class SettingError extends Error {
  override readonly name = 'SettingError';
}
