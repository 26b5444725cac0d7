/** The fields of a key set in the configuration file: their shapes, and what may stand together. */

import * as z from 'zod/mini';
import { type FormatDefinition, formats } from '../formats/index.ts';
import { fileName, isKeySetName, keyEncodings, keySetNameRule } from '../key-sets/settings.ts';
import { algorithmNames } from '../signing/mac.ts';
import { operations } from '../signing/policy.ts';

/** What the kubelet accepts as the name of a variable (Kubernetes API conventions, IsEnvVarName). */
export const variablePattern = /^(?!\.{1,2}$|\.\.)[-._a-zA-Z][-._a-zA-Z0-9]*$/;

const positive = z.int().check(z.gte(1));
const file = z.optional(
  z.string().check(
    z.refine((path) => isKeySetName(fileName(path)), {
      error: `must be the name of a file: ${keySetNameRule}, with / for sub-directories`,
    }),
  ),
);
const tenant = z.string().check(z.refine(isKeySetName, { error: `must be a name: ${keySetNameRule}` }));
const keySetFields = {
  file,
  env: z.optional(z.string()),
  deriveFrom: file,
  tenants: z.optional(z.array(tenant).check(z.minLength(1))),
  allowExport: z.optional(z.boolean()),
  encoding: z.optional(z.enum(keyEncodings)),
  format: z.optional(z.enum([...formats.keys()] as [string, ...string[]])),
  algorithm: z.optional(z.enum(algorithmNames)),
  allow: z.optional(z.array(z.enum(operations)).check(z.minLength(1))),
  maxMessageBytes: z.optional(positive),
  rateLimit: z.optional(
    z.strictObject({ perSecond: z.number().check(z.positive()), burst: z.optional(positive) }),
  ),
  retainPreviousSeconds: z.optional(z.int().check(z.gte(0))),
  allowWeakKey: z.optional(z.boolean()),
};
/** The fields that every key set may have, whatever its format. */
export const keySetFieldNames: readonly string[] = Object.keys(keySetFields);
export type KeySetFields = z.infer<z.ZodMiniObject<typeof keySetFields>>;

/** The format's own fields beside those that every key set has. */
const schemas: ReadonlyMap<FormatDefinition, z.ZodMiniType<KeySetFields>> = new Map(
  [...formats.values()].map((format) => [
    format,
    z.strictObject({ ...keySetFields, ...format.fields }) as z.ZodMiniType<KeySetFields>,
  ]),
);

/** The shape of a key set of this format; undefined for one that is not known. */
export function shapeOf(format: FormatDefinition | undefined): z.ZodMiniType<KeySetFields> {
  return (format && schemas.get(format)) ?? unknownFormatShape;
}

/** For a key set whose format is not known: what may belong to that format is neither refused nor missed. */
const unknownFormatShape = z.strictObject({
  ...Object.fromEntries(
    [...formats.values()].flatMap(({ fields }) =>
      Object.entries(fields).map(([name, shape]) => [name, z.optional(shape)]),
    ),
  ),
  ...keySetFields,
});

/** What is wrong with fields that do not go together, whatever they hold. */
export function conflictsOf(value: unknown): readonly (readonly [keyof KeySetFields, string])[] {
  const has = (field: keyof KeySetFields) => fieldOf(value, field) !== undefined;
  const conflicts: [keyof KeySetFields, string][] = [];
  const [, ...more] = (['file', 'env', 'deriveFrom'] as const).filter(has);
  for (const field of more) conflicts.push([field, 'give only one of file, env, deriveFrom']);
  if (has('deriveFrom')) {
    if (fieldOf(value, 'allowWeakKey') === true) {
      const why = 'whoever has a key that is derived from it could guess it';
      conflicts.push(['allowWeakKey', `a root (deriveFrom) must not be weak, since ${why}`]);
    }
    return conflicts;
  }
  for (const field of (['tenants', 'allowExport'] as const).filter(has)) {
    conflicts.push([field, 'is for a key set whose keys are derived (deriveFrom)']);
  }
  return conflicts;
}

export function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
