/** The JSON Schema of the configuration, held against what the signer itself accepts and refuses. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { keySetFieldNames } from '../src/config/fields.ts';
import { formats } from '../src/formats/index.ts';
import { filePathSchema, isFilePath } from '../src/key-sets/settings.ts';
import { configurationSchema, type Schema } from './support/configuration-schema.ts';
import { pages } from './support/docs.ts';
import { configurationProblems } from './support/keys.ts';

const root = join(import.meta.dirname, '..');
const schema = configurationSchema();
const validate = new Ajv({ allErrors: true, strictTypes: false, strictRequired: false }).compile(schema);
const flaws = (value: unknown) =>
  validate(value)
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
const readYaml = (text: string) => parse(text, { stringKeys: true });

/** Every configuration in a file of the repository, by its path. */
const files = ['docker', 'manifests', 'docs']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((path) => /\.ya?ml$/.test(path) && !/(?:^|\/)keys\//.test(path))
  .map((path) => [path, readFileSync(join(root, path), 'utf8')] as const)
  .filter(([, text]) => /^keys:/m.test(text));
const blocks = pages.flatMap(({ path, blocks: ofPage }) =>
  ofPage
    .filter(({ language, code }) => language === 'yaml' && /^keys:/m.test(code))
    .map(({ heading, code }) => [`${path}, ${heading}`, code] as const),
);

it('docs/signer.schema.json is generated: npm run generate', () => {
  expect(JSON.parse(readFileSync(join(root, 'docs/signer.schema.json'), 'utf8'))).toEqual(schema);
});

it('has every field, each with a description', () => {
  const { keySet } = schema['definitions'] as { readonly keySet: Schema };
  const ofFormats = [...formats.values()].flatMap(({ fields }) => Object.keys(fields));
  expect(Object.keys(keySet['properties'] as object).sort()).toEqual(
    [...keySetFieldNames, ...ofFormats].sort(),
  );
  const lacking: string[] = [];
  let count = 0;
  const visit = ({ properties = {} }: Schema, path: string) => {
    for (const [name, field] of Object.entries(properties as Record<string, Schema>)) {
      count++;
      if (!/^[A-Z(0-9f].{10,}[.…]$/.test(String(field['description']))) lacking.push(`${path}${name}`);
      visit(field, `${path}${name}.`);
    }
  };
  visit(schema, '');
  visit(keySet, 'keys.*.');
  expect(lacking).toEqual([]);
  expect(count).toBeGreaterThan(120);
});

describe('every configuration of the repository', () => {
  it('is found', () => {
    expect(files.length).toBeGreaterThanOrEqual(4);
    expect(blocks.length).toBeGreaterThan(40);
  });

  it.each([...files, ...blocks])('%s', (_, text) => {
    expect(flaws(readYaml(text))).toEqual([]);
  });

  it.each(files)('%s tells editors where the schema is', (path, text) => {
    const [, reference = ''] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text) ?? [];
    expect(join(dirname(path), reference)).toBe('docs/signer.schema.json');
  });
});

describe('what the signer refuses for its shape, the schema refuses', () => {
  it.each<[string, string]>([
    ['an empty file', ''],
    ['a list', '- keys'],
    ['another field beside keys', 'keys: { k: }\nversion: 1'],
    ['no keys', 'keys:'],
    ['no key set', 'keys: {}'],
    ['keys as a list', 'keys: [k]'],
    ['a name with a slash', 'keys: { a/b: }'],
    ['a name that begins with two dots', 'keys: { ..data: }'],
    ['an empty name', 'keys: { "": }'],
    ['a key set that is a text', 'keys: { k: text }'],
    ['a key set that is a list', 'keys: { k: [] }'],
    ['an unknown field', 'keys: { k: { secret: x } }'],
    ['a field in another letter case', 'keys: { k: { Format: jwt } }'],
    ['an unknown format', 'keys: { k: { format: JWT } }'],
    ['an unknown encoding', 'keys: { k: { encoding: base32 } }'],
    ['an unknown algorithm', 'keys: { k: { algorithm: SHA256 } }'],
    ['an algorithm that the format does not have', 'keys: { k: { format: github, algorithm: HS512 } }'],
    ['an algorithm for old webhooks alone', 'keys: { k: { algorithm: HMAC-SHA1 } }'],
    ['an unknown operation', 'keys: { k: { allow: [encrypt] } }'],
    ['no operation', 'keys: { k: { allow: [] } }'],
    ['an operation that is not in a list', 'keys: { k: { allow: sign } }'],
    ['a challenge of a format that has none', 'keys: { k: { allow: [challenge] } }'],
    ['a challenge for a caller, of a format that has none', 'keys: { k: { callers: { web: [challenge] } } }'],
    ['allow and callers', 'keys: { k: { allow: [sign], callers: { web: [sign] } } }'],
    ['no caller', 'keys: { k: { callers: {} } }'],
    ['a caller in upper case', 'keys: { k: { callers: { Web: [sign] } } }'],
    ['a caller without an operation', 'keys: { k: { callers: { web: [] } } }'],
    ['a caller that is null', 'keys: { k: { callers: { web: } } }'],
    ['file and env', 'keys: { k: { file: a, env: A } }'],
    ['file and deriveFrom', 'keys: { k: { file: a, deriveFrom: b } }'],
    ['env and deriveFrom', 'keys: { k: { env: A, deriveFrom: b } }'],
    ['a file outside of the directory', 'keys: { k: { file: ../k } }'],
    ['a file with an absolute path', 'keys: { k: { file: /k } }'],
    ['a file that is a number', 'keys: { k: { file: 7 } }'],
    ['tenants without a root', 'keys: { k: { tenants: [acme] } }'],
    ['an export without a root', 'keys: { k: { allowExport: true } }'],
    ['a weak root', 'keys: { k: { deriveFrom: r, allowWeakKey: true } }'],
    ['a tenant with a space', 'keys: { k: { deriveFrom: r, tenants: [a b] } }'],
    ['alsoVerify of a variable', 'keys: { k: { env: K, alsoVerify: [old] } }'],
    ['alsoVerify of a root', 'keys: { k: { deriveFrom: r, alsoVerify: [old] } }'],
    ['alsoVerify of a JWK set', 'keys: { k: { encoding: jwks, alsoVerify: [old] } }'],
    ['alsoVerify without a file', 'keys: { k: { alsoVerify: [] } }'],
    [
      'alsoVerify and a signature of every key',
      'keys: { k: { format: stripe, alsoVerify: [o], stripe: { signWith: all } } }',
    ],
    ['a size of nothing', 'keys: { k: { maxMessageBytes: 0 } }'],
    ['a size that is half', 'keys: { k: { maxMessageBytes: 0.5 } }'],
    ['a size that is a text', 'keys: { k: { maxMessageBytes: "1" } }'],
    ['a rate without its number', 'keys: { k: { rateLimit: {} } }'],
    ['a rate that is a number', 'keys: { k: { rateLimit: 7 } }'],
    ['a rate of nothing', 'keys: { k: { rateLimit: { perSecond: 0 } } }'],
    ['an unknown field of the rate', 'keys: { k: { rateLimit: { perSecond: 1, perMinute: 1 } } }'],
    ['allowUndecoded without whsec', 'keys: { k: { allowUndecoded: true } }'],
    ['allowUndecoded of whsec', 'keys: { k: { format: svix, encoding: whsec, allowUndecoded: true } }'],
    ['a flag that is a text', 'keys: { k: { allowWeakKey: "yes" } }'],
    ['options of another format', 'keys: { k: { format: jwt, stripe: {} } }'],
    ['options without their format', 'keys: { k: { jwt: { issuer: a } } }'],
    ['output of another format', 'keys: { k: { format: jwt, output: hex } }'],
    ['an unknown option', 'keys: { k: { format: jwt, jwt: { iss: a } } }'],
    ['an option beside its section', 'keys: { k: { format: jwt, issuer: a } }'],
    ['options of a format that has none', 'keys: { k: { format: github, github: {} } }'],
    ['a lifetime of 11 years', 'keys: { k: { format: jwt, jwt: { maxLifetimeSeconds: 346896000 } } }'],
    ['fixed claims that are a list', 'keys: { k: { format: jwt, jwt: { fixedClaims: [] } } }'],
    ['a tolerance below nothing', 'keys: { k: { format: stripe, stripe: { toleranceSeconds: -1 } } }'],
    ['a tolerance that is a word', 'keys: { k: { format: stripe, stripe: { toleranceSeconds: any } } }'],
    ['aws-sigv4 without its options', 'keys: { k: { format: aws-sigv4 } }'],
    [
      'aws-sigv4 without a region',
      'keys: { k: { format: aws-sigv4, aws-sigv4: { accessKeyId: AKID, services: [s3] } } }',
    ],
    [
      'a form without POST',
      'keys: { k: { format: aws-sigv4, aws-sigv4: { accessKeyId: AKID, services: [s3], regions: [eu-central-1], methods: [GET], maxPostBytes: 1 } } }',
    ],
    ['webhook without its scheme', 'keys: { k: { format: webhook } }'],
    ['webhook without headers', 'keys: { k: { format: webhook, webhook: { signed: "{body}" } } }'],
    [
      'webhook with no header',
      'keys: { k: { format: webhook, webhook: { signed: "{body}", headers: {} } } }',
    ],
    [
      'a header that is a number',
      'keys: { k: { format: webhook, webhook: { signed: "{body}", headers: { X-S: 1 } } } }',
    ],
    [
      'a challenge that the scheme does not have',
      'keys: { k: { format: webhook, allow: [challenge], webhook: { signed: "{body}", headers: { X-S: "{signature}" } } } }',
    ],
    [
      'imgproxy without its settings',
      'keys: { k: { format: signed-url, signed-url: { scheme: imgproxy } } }',
    ],
    ['settings of another scheme', 'keys: { k: { format: signed-url, signed-url: { laravel: {} } } }'],
    [
      'methods of another scheme',
      'keys: { k: { format: signed-url, signed-url: { scheme: laravel, methods: [GET] } } }',
    ],
    [
      'hosts of a relative URL',
      'keys: { k: { format: signed-url, signed-url: { scheme: laravel, hosts: [a], laravel: { absolute: false } } } }',
    ],
  ])('%s', (_, text) => {
    expect(configurationProblems(text)).not.toEqual([]);
    expect(flaws(readYaml(text))).not.toEqual([]);
  });
});

/** What only the signer finds: the problem's message, in a part that is the same for all of its kind. */
const beyondSchemas = [
  // A JWK set is told by the name of its file.
  /: is not for a JWK set/,
  // What a template or a pattern says.
  /: must hold \{(?:body|signature|token)\}|: holds \{timestamp\}, which no header carries/,
  /: must be at most 128 characters and sets such as|webhook\.[\w.-]+: must not be empty/,
  // Where AWS has no endpoint.
  /: needs postEndpoint/,
];

describe('a configuration with one mistake', () => {
  const odd = [null, true, 0, -1, 1.5, 1e16, '', 'x', 'A b', '../x', [], ['x'], [1], {}, { x: 1 }];
  const bases = [...files, ...blocks].flatMap(([, text]) =>
    Object.entries(readYaml(text).keys).map(([name, fields]) => ({ keys: { [name]: fields } })),
  );

  /** The value with another one at the path. */
  const put = (value: unknown, [first, ...rest]: readonly string[], replaced: unknown): unknown => {
    if (first === undefined) return replaced;
    const copy = structuredClone(value) as Record<string, unknown>;
    const inner = put(copy[first], rest, replaced);
    if (inner === undefined) delete copy[first];
    else copy[first] = inner;
    return Array.isArray(copy) ? copy.filter((each) => each !== undefined) : copy;
  };
  const pathsOf = (value: unknown, path: readonly string[] = []): (readonly string[])[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, inner]) => [
          [...path, name],
          ...pathsOf(inner, [...path, name]),
        ])
      : [];
  const mistakes = bases.flatMap((base) =>
    pathsOf(base)
      .filter((path) => path.length > 1)
      .flatMap((path) => [
        ...odd.map((value) => put(base, path, value)),
        put(base, path, undefined),
        put(base, [...path.slice(0, -1), 'Unknown'], 'x'),
        ...['jwks', 'HS512', 'jwt', 'webhook', 'all', 'challenge', 'sign'].map((word) =>
          put(base, path, word),
        ),
        ...keySetFieldNames.map((name) => put(base, [...path.slice(0, 2), name], 'k')),
        ...keySetFieldNames.map((name) => put(base, [...path.slice(0, 2), name], ['k'])),
      ]),
  );
  const distinct = [...new Map(mistakes.map((each) => [JSON.stringify(each), each])).values()];

  it('is refused by the schema only if the signer refuses it, and the other way round but for known rules', () => {
    const wrong: unknown[] = [];
    const counts = { refusedByBoth: 0, acceptedByBoth: 0, beyond: 0 };
    for (const value of distinct) {
      const problems = configurationProblems(stringify(value));
      const found = flaws(value);
      if (problems.length > 0 && found.length > 0) counts.refusedByBoth++;
      else if (problems.length === 0 && found.length === 0) counts.acceptedByBoth++;
      else if (
        found.length === 0 &&
        problems.every((each) => beyondSchemas.some((rule) => rule.test(each)))
      ) {
        counts.beyond++;
      } else wrong.push({ value, problems, found });
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(counts.refusedByBoth).toBeGreaterThan(5000);
    expect(counts.acceptedByBoth).toBeGreaterThan(300);
  });
});

it('the rule for files in JSON Schema is that of the signer', () => {
  const pattern = new RegExp(filePathSchema.pattern, 'u');
  const part = fc.constantFrom('.', '..', '/', 'a', ' ', '\u0000', '\u0085', '\u2028', '🔑', 'é', ':');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const path = parts.join('');
      expect(pattern.test(path)).toBe(isFilePath(path));
    }),
    { numRuns: 5000 },
  );
});
