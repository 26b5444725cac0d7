/** How a format enters the table: its fields in the configuration, the schemas of its requests and answers, its code. */

import type * as z from 'zod/mini';
import type { Formats } from '../api/messages.ts';
import type { Format } from '../signing/format.ts';

type Fields = Readonly<Record<string, z.ZodMiniType>>;

/** The schemas of the requests and answers of formats; the compiler checks them against the types in api/messages.ts. */
interface Schemas<N extends keyof Formats> {
  readonly requests: {
    readonly sign: z.ZodMiniType<Formats[N]['sign']>;
    readonly verify: z.ZodMiniType<Formats[N]['verify']>;
  };
  readonly answers: {
    readonly signature: z.ZodMiniType<Formats[N]['signature']>;
    readonly verification: z.ZodMiniType<Formats[N]['verification']>;
  };
}

/** A rule that options break. `path` leads to the option from the key set. */
export interface OptionProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export type Messages = Pick<FormatDefinition, 'requests' | 'answers'>;

/** A format without the options of a key set. */
export interface FormatDefinition extends Schemas<keyof Formats> {
  readonly name: keyof Formats;
  /** The fields of a key set's configuration that belong to this format. */
  readonly fields: Fields;
  /** What is wrong with options whose shape is right. If there is something, `create` must not be called. */
  problems?(configured: object): readonly OptionProblem[];
  /** The requests and answers of one key set, in a format where its configuration decides their members. */
  messagesOf?(format: Format): Messages;
  /** @param configured the configuration of a key set, already parsed with these fields among others */
  create(configured: object): Format;
}

interface Definition<N extends keyof Formats, F extends Fields> extends Schemas<N> {
  readonly name: N;
  readonly fields: F;
  create(configured: z.infer<z.ZodMiniObject<F>>): Omit<Format, 'name'>;
}

/** @param definition may make its schemas when they are asked for, by getters */
export function defineFormat<N extends keyof Formats, F extends Fields>(
  definition: Definition<N, F>,
): FormatDefinition {
  const { name } = definition;
  return {
    name,
    get fields() {
      return definition.fields;
    },
    get requests() {
      return definition.requests;
    },
    get answers() {
      return definition.answers;
    },
    create: (configured) => ({ name, ...definition.create(configured as z.infer<z.ZodMiniObject<F>>) }),
  };
}
