/** The options of a key set for HTTP message signatures: what they cover, and which parameters they have. */

import * as z from 'zod/mini';
import { type Tolerance, toleranceFields, toTolerance } from '../tolerance.ts';
import { type Component, covers, parseComponents } from './component.ts';

/** The algorithm of signatures, by its name in RFC 9421 §3.3.3. */
export const algorithm = 'hmac-sha256';

/** What new signatures of a key set cover, and what it requires of received ones. */
export interface CoveragePolicy extends Tolerance {
  readonly components: readonly Component[];
  readonly label: string;
  readonly tag?: string | undefined;
  readonly expiresSeconds?: number | undefined;
  readonly nonce: boolean;
}

/**
 * The components that signatures cover by default, so that a signature cannot be moved to another request. The query is
 * covered even if there is none; otherwise an attacker could add one. The scheme is not covered, because it differs
 * between the two sides of a proxy that terminates TLS.
 */
export const defaultComponents = ['@method', '@authority', '@path', '@query'];
const mandatory = parseComponents(['@method', '@authority', '@path']) ?? [];
const digestComponent = parseComponents(['content-digest']) ?? [];

export const options = z.strictObject({
  components: z.optional(
    z.array(z.string()).check(
      z.refine((names) => parseComponents(names) !== undefined, {
        abort: true,
        message: 'must be header names in lower case or components such as @method, each only once',
      }),
      z.refine((names) => mandatory.every((each) => covers(parseComponents(names) ?? [], each)), {
        message:
          'must cover @method, @authority and @path (or @target-uri): without them a signature would fit other requests',
      }),
    ),
  ),
  label: z.optional(
    z
      .string()
      .check(
        z.regex(
          /^[a-z*][a-z0-9_.*-]{0,63}$/,
          'must be a label like sig1: lower-case letters, digits and _ . * -',
        ),
      ),
  ),
  tag: z.optional(z.string().check(z.regex(/^[\x20-\x7e]{1,256}$/, 'must be printable ASCII'))),
  ...toleranceFields,
  expiresSeconds: z.optional(z.int().check(z.gte(1))),
  nonce: z.optional(z.boolean()),
});

export function createCoveragePolicy(configured: z.infer<typeof options>): CoveragePolicy {
  return {
    ...configured,
    components: parseComponents(configured.components ?? defaultComponents) ?? [],
    label: configured.label ?? 'sig1',
    nonce: configured.nonce ?? false,
    ...toTolerance(configured),
  };
}

/** If there is a digest of the body, it is covered even if the configuration does not list it. */
export function coveredBy({ components }: CoveragePolicy, hasDigest: boolean): readonly Component[] {
  const isListed = components.some(({ name }) => name === 'content-digest');
  return hasDigest && !isListed ? [...components, ...digestComponent] : components;
}
