/** How the key set of a file is to be read and used. The configuration file will give these; these are the defaults. */

import type { BytesEncoding } from '../encoding.ts';
import type { Algorithm } from '../mac.ts';
import { operations, type Policy } from '../policy.ts';

export interface KeySettings {
  readonly algorithm: Algorithm;
  readonly format: 'raw';
  readonly output: BytesEncoding;
  readonly policy: Policy;
  /** For how many seconds a replaced key still verifies. */
  readonly retainPreviousSeconds: number;
  /** Lets a key in that is too short or one repeated byte. */
  readonly allowWeakKey: boolean;
}

export const defaultSettings: KeySettings = {
  algorithm: 'HS256',
  format: 'raw',
  output: 'hex',
  policy: { allow: operations, maxMessageBytes: Number.POSITIVE_INFINITY },
  retainPreviousSeconds: 3600,
  allowWeakKey: false,
};
