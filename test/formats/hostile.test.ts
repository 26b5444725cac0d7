/** Whatever a request is, a format answers it or refuses it: nothing else is thrown, and no tag leaves by the way. */

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { SignerError } from '../../src/api/errors.ts';
import { providers } from '../../src/api/providers.ts';
import { formats } from '../../src/formats/index.ts';
import { type Algorithm, createMac, type Key, type Mac } from '../../src/signing/mac.ts';
import { useOf } from '../support/format.ts';
import { watchedStream } from '../support/mac-stream.ts';

type Json = Readonly<Record<string, unknown>>;

const policies: Readonly<Record<string, object>> = {
  'aws-sigv4': {
    accessKeyId: 'AKIDEXAMPLE',
    services: ['s3', 'sqs'],
    regions: ['eu-central-1'],
    allowUnsignedPayload: true,
    maxPostBytes: 1000,
  },
  webhook: {
    signed: 'v1:{timestamp}:{nonce}:{method} {host}{path}?{query} {header:x-event}\n{body}',
    headers: {
      'X-Time': '{timestamp}',
      'X-Sig': { items: ['n={nonce}', 'k={keyId}', 's={signature}'], separator: ';' },
    },
    signWith: 'all',
  },
};
/** Formats that read the body have one that they can read. */
const bodies: Readonly<Record<string, string>> = {
  linear: JSON.stringify({ webhookTimestamp: Date.parse('2026-11-24T12:00:00Z') }),
  twilio: 'a=1&b=2',
};
/** Values of each field of a sign request: the first is right, the others are so in some requests. */
const values: Readonly<Record<string, readonly [unknown, ...unknown[]]>> = {
  message: ['abcd', '', '\ud800'],
  body: ['abcd', '', '\ud800'],
  value: ['abcd', '', '\ud800'],
  encoding: ['utf8', 'hex', 'base64'],
  output: ['hex', 'base64', 'base64url'],
  id: ['msg_1', '1', 'a.b'],
  claims: [{ sub: 'a' }, { sub: 'a', exp: 1 }, { nbf: 'x' }, { iss: [] }],
  lifetimeSeconds: [60, 0, 1e300],
  path: ['/orders', '', '/a?b'],
  query: ['id=7', '#'],
  host: ['api.example', ''],
  nonce: ['n'],
  method: ['POST', 'GET', 'get'],
  url: ['https://api.example/orders?id=7', 'https://api.example/', 'https://api.example/../%2e#a'],
  headers: [
    { 'x-event': 'a' },
    { 'content-type': 'text/plain' },
    { 'content-digest': 'sha-256=:AAAA:', host: '' },
  ],
  service: ['s3', 'sqs', '__proto__'],
  region: ['eu-central-1', 'constructor'],
  post: [{ bucket: 'uploads', key: 'a', maxBytes: 1 }, { bucket: 'uploads' }],
  presign: [{ expiresSeconds: 600 }, { expiresSeconds: 0 }],
  unsignedPayload: [true, false],
  bodySha256: ['0'.repeat(64)],
};
/** Texts that are nearly right, cut, doubled and mixed. */
const mangled = (...texts: readonly string[]) => {
  const piece = fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat())
    .map(([text, from, length]) => text.slice(from % (text.length + 1)).slice(0, length % (text.length + 1)));
  const junk = fc.constantFrom(...'()"\\:;,= \t\n%\0@', '\r\n ', '\u00e9', '\ud800');
  const mixed = fc.array(fc.oneof(piece, junk, fc.string({ maxLength: 3 })), { maxLength: 6 });
  return fc.oneof(
    fc.constantFrom(...texts),
    mixed.map((parts) => parts.join('')),
    fc.array(fc.constantFrom(...texts), { maxLength: 3 }),
  );
};

const url = mangled(
  'https://example.com/a/b?x=1&y=%20',
  'https://user@example.com:443/../%2e#a',
  '?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T120000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=',
  '0'.repeat(64),
);
const headers = fc.record(
  {
    'signature-input': mangled(
      'sig=("@method" "@query-param";name="x" "content-type";bs);created=1795521600;keyid="k";alg="hmac-sha256"',
      'sig=();expires=1.5;x=@1;y=%"a";z=?2;w=:AB==:',
    ),
    signature: mangled('sig=:AAAA:', `sig=:${'A'.repeat(43)}=:`, 'sig=()', 'sig="a"'),
    'content-digest': mangled('sha-256=:AAAA:', 'sha-512=("a")', 'sha-256=1'),
    authorization: mangled(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/eu-central-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=',
      '0'.repeat(64),
      '__proto__',
    ),
    'x-amz-date': mangled('20261124T120000Z', '99999999T999999Z'),
    'x-amz-content-sha256': mangled('UNSIGNED-PAYLOAD', '0'.repeat(64)),
    ['__proto__']: fc.string(),
    'Content-Type': mangled('text/plain'),
  },
  { requiredKeys: [] },
);
const post = fc.record(
  {
    bucket: mangled('uploads', 'my.bucket', '192.168.5.4', 'x--y-s3'),
    key: mangled('reports/may.pdf', '../%2e', '\u0024{filename}'),
    keyPrefix: mangled('reports/7/', '../%2e/', '\u0024{filename}'),
    maxBytes: fc.oneof(fc.integer(), fc.double()),
    contentType: mangled('text/plain; charset="utf-8"', 'image/*, text/html'),
    successActionRedirect: mangled('https://user@example.com:443/../%2e#a'),
    metadata: fc.dictionary(fc.constantFrom('user', '__proto__', 'snowball-prefix', 'A b'), mangled('x')),
    ['__proto__']: fc.string(),
  },
  { requiredKeys: ['bucket', 'key', 'maxBytes'] },
);
/** Of an HTTP request or a form: what its parsers might stumble over. */
const documents: Readonly<Record<string, fc.Arbitrary<unknown>>> = { url, headers, post };
/** Of the webhook formats, one of each shape. */
const webhooks =
  'standard-webhooks github shopify stripe slack twilio hubspot linear docusign box twitch trello paystack zoom';
const names = [...formats.keys()].filter(
  (name) => !Object.hasOwn(providers, name) || webhooks.split(' ').includes(name),
);
const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
const runs = 1000;

type Fields = readonly (readonly [string, unknown])[];

/** The shapes of the fields of each kind of request that a format takes. */
function kindsOf(name: string, operation: 'sign' | 'verify'): readonly [Fields, ...Fields[]] {
  const schema = formats.get(name)?.requests[operation];
  const kinds = schema instanceof z.ZodMiniUnion ? schema.def.options : [schema];
  const [first, ...others] = kinds.map((kind) => {
    if (!(kind instanceof z.ZodMiniObject)) throw new Error(`${name}: the request is no object`);
    return Object.entries(kind.def.shape);
  });
  if (first === undefined) throw new Error(`${name}: there is no request`);
  return [first, ...others];
}

/** Requests of these fields, most of which are as in `right`; and anything else that JSON can say. */
function requestsOf(fields: readonly string[], right: Json): fc.Arbitrary<unknown> {
  const absent = Symbol('absent');
  const members = fields.map((field) => {
    const value = fc.oneof(
      { weight: 20, arbitrary: fc.constant(Object.hasOwn(right, field) ? right[field] : absent) },
      { weight: 4, arbitrary: fc.constantFrom(...(values[field] ?? [absent])) },
      { weight: documents[field] ? 6 : 0, arbitrary: documents[field] ?? json },
      { weight: 1, arbitrary: json },
    );
    return [field, value] as const;
  });
  const nearlyRight = fc
    .record(Object.fromEntries(members))
    .map((request) => Object.fromEntries(Object.entries(request).filter(([, value]) => value !== absent)));
  return fc.oneof(
    { weight: 8, arbitrary: nearlyRight },
    { weight: 1, arbitrary: fc.dictionary(fc.constantFrom(...fields, '__proto__', 'constructor'), json) },
    { weight: 1, arbitrary: json },
  );
}

/** A key whose tags are all remembered, as text in every encoding; those that are keys of others as well. */
function watchedKey(tags: Set<string>, algorithm: Algorithm): Key {
  const remember = (tag: Buffer) => {
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      tags.add(tag.toString(encoding).slice(0, 40));
  };
  const watch = (mac: Mac): Mac => ({
    algorithm: mac.algorithm,
    start: () => watchedStream(mac.start(), { onTag: remember }),
    derive: (message) => {
      const stream = mac.start();
      stream.update(message);
      remember(stream.digest());
      return watch(mac.derive(message));
    },
  });
  return { id: 'watched', mac: watch(createMac(algorithm, randomBytes(32))) };
}

describe.each(names)('%s', (name) => {
  const create = () => {
    const format = formats.get(name)?.create({ [name]: policies[name] ?? {} });
    if (format === undefined) throw new Error(`there is no format ${name}`);
    return format;
  };
  const format = create();
  const [algorithm] = format.algorithms;
  const verifyFields = kindsOf(name, 'verify')[0].map(([field]) => field);
  // What a configuration may make necessary.
  const named =
    { 'aws-sigv4': ['service', 'region'], webhook: ['method', 'path', 'query', 'host', 'headers'] }[name] ??
    [];
  const signableOf = (fields: Fields): Json =>
    Object.fromEntries(
      fields
        .filter(([field, shape]) => !(shape instanceof z.ZodMiniOptional) || named.includes(field))
        .map(([field]) => [field, field === 'body' ? (bodies[name] ?? 'abcd') : values[field]?.[0]]),
    );
  const signable = signableOf(kindsOf(name, 'sign')[0]);
  /** As the signable request is received, signed with another key of the same id. */
  const received = () => {
    const stranger: Key = { id: 'watched', mac: createMac(algorithm, randomBytes(32)) };
    const { headers: sent, ...answer }: Json = { ...create().sign(useOf([stranger]), signable) };
    const headers = { ...Object(signable['headers']), ...Object(sent) };
    const all: Json = { ...signable, ...answer, ...(sent !== undefined && { headers }) };
    return Object.fromEntries(
      verifyFields.filter((field) => Object.hasOwn(all, field)).map((field) => [field, all[field]]),
    );
  };

  it('answers or refuses whatever it is asked to verify, and never tells the tag it expected', () => {
    let compared = 0;
    fc.assert(
      fc.property(requestsOf(verifyFields, received()), (request) => {
        const tags = new Set<string>();
        let answer: string;
        try {
          answer = JSON.stringify(format.verify(useOf([watchedKey(tags, algorithm)]), request));
        } catch (error) {
          if (!(error instanceof SignerError)) throw error;
          answer = error.message;
        }
        if (tags.size > 0) compared++;
        expect([...tags].filter((tag) => answer.includes(tag))).toEqual([]);
      }),
      { numRuns: runs },
    );
    // Where no tag is computed, none can be told.
    expect(compared).toBeGreaterThan(runs / 10);
  });

  it.each(kindsOf(name, 'sign').map((fields) => ({ fields })))(
    'answers or refuses whatever it is asked to sign',
    ({ fields }) => {
      const signFields = fields.map(([field]) => field);
      let signed = 0;
      fc.assert(
        fc.property(requestsOf(signFields, signableOf(fields)), (request) => {
          try {
            expect(
              JSON.parse(JSON.stringify(format.sign(useOf([watchedKey(new Set(), algorithm)]), request))),
            ).toHaveProperty('keyId');
            signed++;
          } catch (error) {
            if (!(error instanceof SignerError)) throw error;
            // Words of our own, and nothing of the request.
            expect(error.message).toMatch(/^[a-z][ -~\u2026]*$/);
          }
        }),
        { numRuns: runs },
      );
      expect(signed).toBeGreaterThan(runs / 10);
    },
  );
});
