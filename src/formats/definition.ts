/** How a format is entered into the table: its fields in the configuration, and what they make of it. */

import type * as z from 'zod/mini';
import type { Format } from '../signing/format.ts';
import type { Operation } from '../signing/policy.ts';

type Fields = Readonly<Record<string, z.ZodMiniType>>;

/** The shapes of a format's requests. */
export type Requests = Readonly<Record<Operation, z.ZodMiniType>>;

/** A format before a key set has given it options. */
export interface FormatDefinition {
  readonly name: string;
  /** The fields of a key set's configuration that belong to this format. */
  readonly fields: Fields;
  readonly requests: Requests;
  /** @param configured a key set's configuration that has been parsed with these fields among others */
  create(configured: object): Format;
}

export function defineFormat<F extends Fields>(
  name: string,
  fields: F,
  requests: Requests,
  create: (configured: z.infer<z.ZodMiniObject<F>>) => Format,
): FormatDefinition {
  return {
    name,
    fields,
    requests,
    create: (configured) => create(configured as z.infer<z.ZodMiniObject<F>>),
  };
}
