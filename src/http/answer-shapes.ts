/** Schemas of the answers that belong to no format; the compiler checks them against the types in api/. */

import * as z from 'zod/mini';
import type { Problem } from '../api/errors.ts';
import { errorCodes } from '../api/errors.ts';
import type { Formats, KeySetDescription } from '../api/messages.ts';
import { formats } from '../formats/index.ts';
import { operations } from '../signing/policy.ts';

const text = z.string();

export const keySet: z.ZodMiniType<KeySetDescription> = z.object({
  name: text,
  format: z.enum([...formats.keys()] as (keyof Formats)[]),
  algorithm: text,
  allow: z.array(z.enum(operations)),
  keyIds: z.array(text),
  primary: text,
  since: text,
  derived: z.exactOptional(z.literal(true)),
  policy: z.record(text, z.unknown()),
});

export const problem: z.ZodMiniType<Problem> = z.object({
  type: text,
  title: text,
  status: z.int(),
  detail: text,
  code: z.enum(Object.keys(errorCodes) as (keyof typeof errorCodes)[]),
});
