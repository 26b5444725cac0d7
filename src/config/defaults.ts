/** The settings of a key set from its fields, with defaults for those that are not given. */

import type { Operation } from '../api/messages.ts';
import type { FormatDefinition } from '../formats/definition.ts';
// Not the table of all formats: without a configuration file, loading the others would only cost memory.
import { raw } from '../formats/raw.ts';
import {
  type Configuration,
  defaultEncoding,
  fileName,
  type KeyEncoding,
  type KeySettings,
  type KeySource,
} from '../key-sets/settings.ts';
import { operations, type Policy, usualOperations } from '../signing/policy.ts';
import type { KeySetFields } from './fields.ts';

export const defaultRetainSeconds = 3600;

/** The configuration if there is no file: each key file is a key set of the format `raw` that may sign and verify. */
export const everyFile: Configuration = {
  files: undefined,
  keySets: (files) => new Map(files.map((file) => [file, settingsOf(file)])),
};

/** @param format default: `raw` */
export function settingsOf(
  name: string,
  format: FormatDefinition = raw,
  fields: KeySetFields = {},
): KeySettings {
  const { rateLimit, tenants } = fields;
  const source = sourceOf(name, fields);
  const callers = fields.callers && Object.entries(fields.callers);
  const policy: Policy = {
    allow: inOrder(callers?.flatMap(([, allow]) => allow) ?? fields.allow ?? usualOperations),
    ...(callers && { callers: new Map(callers.map(([caller, allow]) => [caller, inOrder(allow)])) }),
    maxMessageBytes: fields.maxMessageBytes ?? Number.POSITIVE_INFINITY,
    rateLimit: rateLimit && {
      perSecond: rateLimit.perSecond,
      burst: rateLimit.burst ?? Math.ceil(rateLimit.perSecond),
    },
    ...('root' in source && {
      tenants: tenants && new Set(tenants),
      allowExport: fields.allowExport ?? false,
    }),
  };
  return {
    source,
    alsoVerify: (fields.alsoVerify ?? []).map(fileName),
    encoding: fields.encoding ?? usualEncoding(source),
    format: format.create(fields),
    algorithm: fields.algorithm,
    policy,
    retainPreviousSeconds: fields.retainPreviousSeconds ?? (fields.alsoVerify ? 0 : defaultRetainSeconds),
    allowWeakKey: fields.allowWeakKey ?? false,
    allowUndecoded: fields.allowUndecoded ?? false,
  };
}

/** Each operation once. */
function inOrder(allow: readonly Operation[]): readonly Operation[] {
  return operations.filter((operation) => allow.includes(operation));
}

function sourceOf(name: string, { file = name, env, deriveFrom }: KeySetFields): KeySource {
  if (env !== undefined) return { env };
  return deriveFrom === undefined ? { file: fileName(file) } : { root: fileName(deriveFrom) };
}

function usualEncoding(source: KeySource): KeyEncoding {
  if ('env' in source) return 'bytes';
  return defaultEncoding('root' in source ? source.root : source.file);
}
