/** How a format is entered into the table: its fields in the configuration, and what they make of it. */

import type * as z from 'zod/mini';
import type { Format } from '../format.ts';

type Fields = Readonly<Record<string, z.ZodMiniType>>;

/** A format before a key set has given it options. */
export interface FormatDefinition {
  readonly name: string;
  /** The fields of a key set's configuration that belong to this format. */
  readonly fields: Fields;
  /** @param configured a key set's configuration that has been parsed with these fields among others */
  create(configured: object): Format;
}

export function defineFormat<F extends Fields>(
  name: string,
  fields: F,
  create: (configured: z.infer<z.ZodMiniObject<F>>) => Format,
): FormatDefinition {
  return { name, fields, create: (configured) => create(configured as z.infer<z.ZodMiniObject<F>>) };
}
