/** What a key set's HTTP message signatures cover and what they say, as its configuration puts it. */

import * as z from 'zod/mini';
import { type Component, covers, parseComponents } from './component.ts';

/** What a key set covers and accepts. */
export interface Policy {
  readonly components: readonly Component[];
  readonly label: string;
  readonly tag?: string | undefined;
  readonly toleranceSeconds: number;
  readonly futureToleranceSeconds: number;
  readonly expiresSeconds?: number | undefined;
  readonly nonce: boolean;
}

/**
 * Without these a signature could be moved to another request. The query is among them, absent as it may be: otherwise
 * somebody could add one. The scheme is not, since behind a proxy that ends TLS the two sides see different ones.
 */
export const usualComponents = ['@method', '@authority', '@path', '@query'];
const mandatory = parseComponents(['@method', '@authority', '@path']) ?? [];
const digestComponent = parseComponents(['content-digest']) ?? [];

const seconds = z.int().check(z.gte(0));
export const options = z.strictObject({
  components: z.optional(
    z.array(z.string()).check(
      z.refine((names) => parseComponents(names) !== undefined, {
        abort: true,
        message: 'must hold, each once, names of headers in lower case or of components such as @method',
      }),
      z.refine((names) => mandatory.every((each) => covers(parseComponents(names) ?? [], each)), {
        message:
          'must cover @method, @authority and @path (or @target-uri): without them a signature fits other requests',
      }),
    ),
  ),
  label: z.optional(z.string().check(z.regex(/^[a-z*][a-z0-9_.*-]{0,63}$/, 'must be like sig1'))),
  tag: z.optional(z.string().check(z.regex(/^[\x20-\x7e]{1,256}$/, 'must be printable ASCII'))),
  toleranceSeconds: z.optional(seconds),
  futureToleranceSeconds: z.optional(seconds),
  expiresSeconds: z.optional(z.int().check(z.gte(1))),
  nonce: z.optional(z.boolean()),
});

export function createPolicy({ components = usualComponents, ...given }: z.infer<typeof options>): Policy {
  const {
    toleranceSeconds = 300,
    futureToleranceSeconds = toleranceSeconds,
    label = 'sig1',
    nonce = false,
  } = given;
  return {
    components: parseComponents(components) ?? [],
    label,
    tag: given.tag,
    toleranceSeconds,
    futureToleranceSeconds,
    expiresSeconds: given.expiresSeconds,
    nonce,
  };
}

/** A body is covered by its digest, whether or not the key set's configuration lists it. */
export function coveredBy({ components }: Policy, hasDigest: boolean): readonly Component[] {
  const isListed = components.some(({ name }) => name === 'content-digest');
  return hasDigest && !isListed ? [...components, ...digestComponent] : components;
}
