/** Consumes a mounted secret directory whole, consistent and live. Stands alone: imports nothing of the signer. */
export type { Change } from './change.ts';
export type { Layout, Selection, VolumeLimits } from './identity.ts';
export {
  systemCode,
  VolumeError,
  type VolumeProblem,
  type VolumeProblemCode,
  type VolumeWarning,
} from './problem.ts';
export type { Credentials, Reading } from './reading.ts';
export { openVolume, type Volume, type VolumeHealth, type VolumeOptions } from './volume.ts';
export { fileEvents, type HintEvents, type HintSource } from './watch.ts';
