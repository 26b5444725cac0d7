/** The fields of a key set in the configuration file: the shape of each, and which of them exclude each other. */

import * as z from 'zod/mini';
import { type FormatDefinition, formats } from '../formats/index.ts';
import {
  callerNamePattern,
  callerNameRule,
  filePathRule,
  filePathSchema,
  isFilePath,
  keyEncodings,
  keySetNamePattern,
  keySetNameRule,
  maxAlsoVerify,
} from '../key-sets/settings.ts';
import { algorithmNames } from '../signing/mac.ts';
import { operations } from '../signing/policy.ts';

/** The names of variables that the kubelet accepts (`IsEnvVarName` in Kubernetes). */
export const variablePattern = /^(?!\.{1,2}$|\.\.)[-._a-zA-Z][-._a-zA-Z0-9]*$/;

const positive = z.int().check(z.gte(1));
const filePath = z
  .string()
  .check(z.refine(isFilePath, { error: `must be the name of a file: ${filePathRule}` }))
  .register(z.globalRegistry, filePathSchema);
const file = z.optional(filePath);
const tenant = z.string().check(z.regex(keySetNamePattern, `must be a name: ${keySetNameRule}`));
const someOperations = z.array(z.enum(operations)).check(z.minLength(1));
const notACaller = `not a usable name of a caller; use ${callerNameRule}`;
const caller = z.string().check(z.regex(callerNamePattern, notACaller));
const allowed = z
  .array(z.enum(operations))
  .check(
    z.refine((given) => given.length > 0, {
      error: 'must name at least one operation; leave out a caller that may do nothing',
    }),
  )
  .register(z.globalRegistry, { minItems: 1 });
const callers = z.record(caller, allowed);
const keySetFields = {
  file,
  env: z.optional(z.string()),
  deriveFrom: file,
  tenants: z.optional(z.array(tenant).check(z.minLength(1))),
  allowExport: z.optional(z.boolean()),
  encoding: z.optional(z.enum(keyEncodings)),
  format: z.optional(z.enum([...formats.keys()] as [string, ...string[]])),
  algorithm: z.optional(z.enum(algorithmNames)),
  allow: z.optional(someOperations),
  callers: z.optional(
    callers
      .check(
        z.refine((given) => Object.keys(given).length > 0, {
          error: 'must name at least one caller, with what it may do, for instance web: [verify]',
        }),
      )
      .register(z.globalRegistry, { minProperties: 1 }),
  ),
  maxMessageBytes: z.optional(positive),
  rateLimit: z.optional(
    z.strictObject({ perSecond: z.number().check(z.positive()), burst: z.optional(positive) }),
  ),
  alsoVerify: z.optional(z.array(filePath).check(z.minLength(1), z.maxLength(maxAlsoVerify))),
  retainPreviousSeconds: z.optional(z.int().check(z.gte(0))),
  allowWeakKey: z.optional(z.boolean()),
  allowUndecoded: z.optional(z.boolean()),
};
/** The fields that a key set of any format may have. */
export const keySetFieldNames: readonly string[] = Object.keys(keySetFields);
export type KeySetFields = z.infer<z.ZodMiniObject<typeof keySetFields>>;

/** Made when a configuration uses the format: a configuration needs few of them. */
const shapes = new Map<FormatDefinition | undefined, z.ZodMiniType<KeySetFields>>();

/** @param format undefined if the configuration names one that does not exist */
export function shapeOf(format: FormatDefinition | undefined): z.ZodMiniType<KeySetFields> {
  const known = shapes.get(format);
  if (known !== undefined) return known;
  const fields =
    format === undefined
      ? { ...fieldsOfAllFormats(), ...keySetFields }
      : { ...keySetFields, ...format.fields };
  const shape = z.strictObject(fields) as z.ZodMiniType<KeySetFields>;
  shapes.set(format, shape);
  return shape;
}

/** For a key set whose format does not exist: any field that some format has may belong to it. */
function fieldsOfAllFormats(): Readonly<Record<string, z.ZodMiniType>> {
  return Object.fromEntries(
    [...formats.values()].flatMap(({ fields }) =>
      Object.entries(fields).map(([name, shape]) => [name, z.optional(shape)]),
    ),
  );
}

/** The fields that exclude each other, each with what is wrong, whatever their values are. */
export function conflictsOf(value: unknown): readonly (readonly [keyof KeySetFields, string])[] {
  const has = (field: keyof KeySetFields) => fieldOf(value, field) !== undefined;
  const conflicts: [keyof KeySetFields, string][] = [];
  const [, ...more] = (['file', 'env', 'deriveFrom'] as const).filter(has);
  for (const field of more) conflicts.push([field, 'give only one of file, env, deriveFrom']);
  if (has('alsoVerify') && has('env')) {
    conflicts.push([
      'alsoVerify',
      'is only for a key in a file; a variable (env) changes only with a restart',
    ]);
  }
  if (has('allow') && has('callers')) {
    conflicts.push(['callers', 'give either allow, for every caller, or callers; remove one of them']);
  }
  // The schema leaves this name out of what it checks.
  if (Object.hasOwn(Object(fieldOf(value, 'callers')), '__proto__')) conflicts.push(['callers', notACaller]);
  if (has('deriveFrom')) {
    if (has('alsoVerify')) {
      const remedy = 'to rotate a root, put the roots into a JWK set';
      conflicts.push(['alsoVerify', `is not for a key set with derived keys (deriveFrom); ${remedy}`]);
    }
    if (fieldOf(value, 'allowWeakKey') === true) {
      const why = 'because anyone with a key derived from it could guess it';
      conflicts.push(['allowWeakKey', `a root (deriveFrom) must not be weak, ${why}`]);
    }
    return conflicts;
  }
  for (const field of (['tenants', 'allowExport'] as const).filter(has)) {
    conflicts.push([field, 'is only for a key set with derived keys (deriveFrom)']);
  }
  return conflicts;
}

/** The fields that must be given in an object, such as the options of a format. */
export function neededFields(shape: z.ZodMiniType<KeySetFields>, field: string): readonly string[] {
  const { error } = shape.safeParse({ [field]: {} });
  const isInside = ({ path }: z.core.$ZodIssue) => path[0] === field && path.length === 2;
  return (error?.issues ?? []).filter(isInside).map(({ path }) => String(path[1]));
}

export function fieldOf(value: unknown, field: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
