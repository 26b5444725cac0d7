/** `cookie-signature`, which signs the cookies of Express, with one secret on both sides. */

import { randomBytes } from 'node:crypto';
import { sign, unsign } from 'cookie-signature';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const secret = randomBytes(24).toString('base64');
let running: ConfiguredSigner;
const session = () => running.client.keySet('session', 'cookie');

beforeAll(async () => {
  running = await startConfigured(
    { session: `${secret}\n` },
    { session: { encoding: 'text', format: 'cookie' } },
  );
});
afterAll(() => running[Symbol.asyncDispose]());

const values = ['hello', '', 'a.b.c', 's:nested', 'j:{"cart":[1,2]}', 'naïve ☃', 'a b;c'];

it.each(values)('accepts the value %j that we sign', async (value) => {
  const { cookie } = await session().sign({ value });
  expect(cookie.startsWith('s:')).toBe(true);
  expect(unsign(cookie.slice(2), secret)).toBe(value);
  expect(unsign(cookie.slice(2), 'another secret')).toBe(false);
});

it.each(values)('signs the value %j so that we accept it', async (value) => {
  const cookie = `s:${sign(value, secret)}`;
  expect(await session().verify({ cookie })).toMatchObject({ valid: true, value });
  expect(await session().verify({ cookie: `s:x${cookie.slice(2)}` })).toEqual({
    valid: false,
    reason: 'mismatch',
  });
});
