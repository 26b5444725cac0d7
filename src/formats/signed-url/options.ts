/** The options of the format `signed-url` in a configuration, and which of them each scheme has. */

import * as z from 'zod/mini';
import { hostList, list, methodList, pathPrefixList } from '../request-limits.ts';
import { expiryNames, hasDotSegments } from './imgproxy.ts';
import { parameterNames } from './sidecar.ts';

/** Ten years. */
const longestExpiresSeconds = 10 * 365 * 24 * 3600;

export const schemeNames = ['sidecar', 'imgproxy', 'laravel', 'akamai'] as const;

/** The options that all schemes have, and those of each. */
function createShape() {
  const parameterName = z
    .string()
    .check(z.regex(/^[A-Za-z_][A-Za-z0-9_-]{0,31}$/, 'must be a name of letters, digits, _ and -'));

  const source = z.string().check(
    z.regex(
      /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\\\s]*\/[\x21-\x5b\x5d-\x7e]*$/,
      'must be the beginning of a URL with its host and a slash, such as https://images.example.com/ or s3://bucket/',
    ),
    z.refine((text) => !hasDotSegments(text), { error: 'must have no dot segments' }),
  );
  const imgproxyOption = z.string().check(
    z.regex(/^[a-z][a-z_-]*$/, 'must be the name of a processing option, such as resize or rs'),
    z.refine((name) => !expiryNames.includes(name), {
      error: 'must not be exp or expires, which the signer writes',
    }),
  );
  /** A tilde separates the fields of a token. */
  const akamaiSalt = z.string().check(z.regex(/^[\x20-\x7d]+$/, 'must be printable ASCII without "~"'));
  const aclEntry = z
    .string()
    .check(
      z.regex(/^\/[A-Za-z0-9._/%-]*\*?$/, 'must be a path, with * at its end for all that begin with it'),
    );

  return z.strictObject({
    scheme: z.optional(z.enum(schemeNames)),
    hosts: z.optional(hostList),
    methods: z.optional(methodList),
    pathPrefixes: z.optional(pathPrefixList),
    maxExpiresSeconds: z.optional(z.int().check(z.gte(1), z.lte(longestExpiresSeconds))),
    parameters: z.optional(
      z.strictObject({
        expires: z.optional(parameterName),
        keyId: z.optional(parameterName),
        signature: z.optional(parameterName),
      }),
    ),
    imgproxy: z.optional(
      z.strictObject({
        salt: z
          .string()
          .check(
            z.regex(/^(?:[0-9a-fA-F]{2}){1,256}$/, 'must be hexadecimal, as imgproxy reads IMGPROXY_SALT'),
          ),
        sources: list(source),
        options: z.optional(z.array(imgproxyOption).check(z.maxLength(256))),
        pathPrefix: z.optional(
          z
            .string()
            .check(z.regex(/^(?:\/[A-Za-z0-9._~-]+)+$/, 'must begin with a slash and not end with one')),
        ),
      }),
    ),
    laravel: z.optional(z.strictObject({ absolute: z.optional(z.boolean()) })),
    akamai: z.optional(
      z.strictObject({
        acl: z.optional(list(aclEntry)),
        salt: z.optional(akamaiSalt),
        escapeEarly: z.optional(z.boolean()),
        tokenName: z.optional(parameterName),
      }),
    ),
  });
}

type Shape = ReturnType<typeof createShape>;

export type SignedUrlOptions = z.infer<Shape>;

export function createOptions(): Shape {
  return createShape().check(({ value, issues }) => {
    for (const [path, message] of conflictsOf(value))
      issues.push({ code: 'custom', input: value, path, message });
  });
}

/** The options that do not go together, each with what is wrong. */
function conflictsOf(value: SignedUrlOptions): readonly (readonly [string[], string])[] {
  const { scheme = 'sidecar', hosts, laravel, parameters } = value;
  const conflicts: [string[], string][] = [];
  for (const name of ['imgproxy', 'laravel', 'akamai'] as const) {
    if (value[name] !== undefined && scheme !== name) {
      conflicts.push([[name], `is only for "scheme: ${name}"; this key set has the scheme ${scheme}`]);
    }
  }
  if (scheme === 'imgproxy') {
    if (value.imgproxy === undefined) conflicts.push([['imgproxy'], 'needs salt and sources']);
    if (value.pathPrefixes !== undefined) {
      conflicts.push([
        ['pathPrefixes'],
        'is not for the scheme imgproxy; list the images under "imgproxy.sources"',
      ]);
    }
  }
  for (const name of ['methods', 'parameters'] as const) {
    if (value[name] !== undefined && scheme !== 'sidecar') {
      conflicts.push([[name], `is only for the scheme sidecar; a signature of ${scheme} has no such part`]);
    }
  }
  if (hosts !== undefined && laravel?.absolute === false) {
    conflicts.push([['hosts'], 'is not for "laravel.absolute: false", because a relative URL has no host']);
  }
  const names = Object.values<string>({ ...parameterNames(parameters) }).map((name) => name.toLowerCase());
  if (new Set(names).size < names.length) {
    conflicts.push([['parameters'], 'must have three names that differ in more than letter case']);
  }
  return conflicts;
}
