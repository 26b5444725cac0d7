/** The table of formats: the one place that resolves a format's name. */

import type { FormatDefinition } from './definition.ts';
import { raw } from './raw.ts';

export type { FormatDefinition } from './definition.ts';

/** Each key set has exactly one of these. */
export const formats: ReadonlyMap<string, FormatDefinition> = new Map(
  [raw].map((format) => [format.name, format]),
);
