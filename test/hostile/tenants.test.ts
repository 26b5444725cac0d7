/** Tenants of somebody who wants another's key, another key set's, or all of the memory. */

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { leaks } from '../support/leaks.ts';
import { privateMemory } from '../support/process.ts';

const root = randomBytes(32);
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured({ root }, { any: { deriveFrom: 'root' } });
});
afterAll(async () => {
  const { signer } = running;
  expect(signer.process.exitCode, 'the process lives').toBeNull();
  expect(signer.output()).not.toContain('"level":"error"');
  expect(leaks(signer.output(), root)).toEqual([]);
  await running[Symbol.asyncDispose]();
});

/** A tenant as JSON text, which can say what no object can. */
const sign = async (tenant: string) => {
  const response = await running.signer.call('/v1/keys/any/sign', undefined, {
    method: 'POST',
    body: `{"message":"m","tenant":${tenant}}`,
  });
  return { status: response.status, text: await response.text() };
};

describe('a tenant', () => {
  it.each([
    '"x\\u0000jwt\\u0000acme"',
    '"acme\\n"',
    '"../acme"',
    '"a%2fb"',
    '".."',
    '""',
    '"\\u0430cme"',
    '"\\ud800"',
    'null',
    '["acme"]',
    '{"toString":"acme"}',
    JSON.stringify('n'.repeat(254)),
  ])('that is %.40s is refused, and not repeated', async (tenant) => {
    const { status, text } = await sign(tenant);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code: 'malformed_request' });
    expect(text).not.toMatch(/acme|nnnn/);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'n'.repeat(253)])(
    'named %.40s is a tenant like any other',
    async (tenant) => {
      const answers = await Promise.all([sign(JSON.stringify(tenant)), sign('"acme"')]);
      const [own, other] = answers.map(({ text }) => JSON.parse(text).signature);
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(own).toMatch(/^[0-9a-f]{64}$/);
      expect(own).not.toBe(other);
    },
  );

  it('that is named twice is the last one, as JSON.parse takes it, and no mixture', async () => {
    const twice = JSON.parse((await sign('"globex","tenant":"acme"')).text);
    expect(twice).toEqual(JSON.parse((await sign('"acme"')).text));
  });
});

describe('many tenants', () => {
  const perBatch = 1000;
  const name = (index: number) => `${index}-`.padEnd(253, 'n');
  const signFor = async (batch: number) => {
    const items = Array.from({ length: perBatch }, (_, index) => ({
      message: 'm',
      tenant: name(batch * perBatch + index),
    }));
    const results = await running.client.keySet('any', 'raw').signBatch(items);
    return results.map((result) => ('signature' in result ? result.signature : ''));
  };

  it('take no more memory than those that are kept', async () => {
    const seen = new Set<string>();
    const firstTenants = await signFor(0);
    for (let batch = 0; batch < 10; batch++) for (const each of await signFor(batch)) seen.add(each);
    const before = privateMemory(running.signer);
    for (let batch = 10; batch < 110; batch++) for (const each of await signFor(batch)) seen.add(each);
    const grown = privateMemory(running.signer) - before;
    expect(seen.size).toBe(110 * perBatch);
    expect(seen).not.toContain('');
    // 100,000 keys would take 130.
    expect(grown / 2 ** 20).toBeLessThan(64);
    // Whose key is not kept any more gets the same one again.
    expect(await signFor(0)).toEqual(firstTenants);
  });
});
