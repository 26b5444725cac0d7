/** The table of formats: the one place that resolves a format's name. */

import { raw } from './raw.ts';

export type { Signing, Verification, VerificationFailure } from './format.ts';
export type { RawSettings, RawSignature } from './raw.ts';

/** Each key set has exactly one of these. */
export const formats = { raw } as const;

export type FormatName = keyof typeof formats;
