/** Whatever a request is, a format answers it or refuses it: nothing else is thrown, and no tag leaves by the way. */

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignerError } from '../../src/errors.ts';
import { formats } from '../../src/formats/index.ts';
import { createMac, type Key } from '../../src/mac.ts';
import { useOf } from '../support/format.ts';

const names = [...formats.keys()];
/** The fields of all formats, with values that are nearly right, and anything else that JSON can say. */
const fields = {
  message: 'hello',
  body: '{}',
  value: 'a',
  encoding: 'hex',
  output: 'base64',
  id: 'msg_1',
  claims: { sub: 'a', exp: 1, nbf: 'x', iss: [] },
  lifetimeSeconds: 60,
  token: 'eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQwMDAwMDAwMDB9.AAAA',
  cookie: 's:a.AAAA',
  signature: 'AAAA',
  headers: { 'stripe-signature': 't=1800000000,v1=AAAA', 'x-hub-signature-256': 'sha256=AAAA' },
};
const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
const requests = fc.oneof(
  json,
  fc.record(
    Object.fromEntries(
      Object.entries(fields).map(([field, value]) => [
        field,
        fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: json }),
      ]),
    ),
    { requiredKeys: [] },
  ),
  fc.dictionary(fc.constantFrom(...Object.keys(fields), '__proto__', 'constructor'), json),
);

/** A key whose tags are all remembered, as text in every encoding. */
function watchedKey(tags: Set<string>): Key {
  const { start } = createMac('HS256', randomBytes(32));
  const remember = (tag: Buffer) => {
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      tags.add(tag.toString(encoding).slice(0, 40));
    return tag;
  };
  const mac = {
    algorithm: 'HS256',
    start: () => {
      const stream = start();
      return { update: stream.update.bind(stream), digest: () => remember(stream.digest()) };
    },
  } as Key['mac'];
  return { id: 'watched', mac };
}

describe.each(names)('%s', (name) => {
  const format = formats.get(name)?.create({ [name]: {} });

  it('answers or refuses whatever it is asked to verify, and never tells the tag it expected', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const tags = new Set<string>();
        let answer: string;
        try {
          answer = JSON.stringify(format?.verify(useOf([watchedKey(tags)]), request));
        } catch (error) {
          if (!(error instanceof SignerError)) throw error;
          answer = error.message;
        }
        expect([...tags].filter((tag) => answer.includes(tag))).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  it('answers or refuses whatever it is asked to sign', () => {
    fc.assert(
      fc.property(requests, (request) => {
        try {
          expect(
            JSON.parse(JSON.stringify(format?.sign(useOf([watchedKey(new Set())]), request))),
          ).toHaveProperty('keyId');
        } catch (error) {
          expect(error).toBeInstanceOf(SignerError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
