/**
 * Follows a mounted secret directory: consistent readings of all files, and a new value for each change. This folder
 * imports nothing from the rest of the signer.
 */

export type { Change } from './change.ts';
export type { Layout, VolumeLimits } from './identity.ts';
export type { VolumeOptions } from './options.ts';
export {
  systemCode,
  VolumeError,
  type VolumeProblem,
  type VolumeProblemCode,
  type VolumeWarning,
} from './problem.ts';
export type { Credentials, Reading } from './reading.ts';
export { openVolume, type Volume, type VolumeHealth } from './volume.ts';
export { fileEvents, type HintEvents, type HintSource } from './watch.ts';
