/** `@octokit/webhooks-methods`, GitHub's own, with one secret on both sides. */

import { randomBytes } from 'node:crypto';
import { sign, verify, verifyWithFallback } from '@octokit/webhooks-methods';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const secret = `It's a secret: ${randomBytes(24).toString('base64')}`;
const body = '{"action":"opened","title":"naïve ☃"}';
const header = 'X-Hub-Signature-256';
let running: ConfiguredSigner;
const hook = () => running.client.keySet('hook', 'github');

beforeAll(async () => {
  running = await startConfigured({ hook: `${secret}\n` }, { hook: { encoding: 'text', format: 'github' } });
});
afterAll(() => running[Symbol.asyncDispose]());

it('accepts a body that we sign', async () => {
  const { headers } = await hook().sign({ body });
  const signature = headers[header] ?? '';
  expect(Object.keys(headers)).toEqual([header]);
  expect(await verify(secret, body, signature)).toBe(true);
  expect(await verify(secret, `${body} `, signature)).toBe(false);
  expect(await verifyWithFallback('a new secret', body, signature, [secret])).toBe(true);
});

it('accepts a body that we sign as it is sent', async () => {
  const { headers } = await hook().signMessage(Buffer.from(body));
  expect(await verify(secret, body, headers[header] ?? '')).toBe(true);
});

it('signs bodies that we accept', async () => {
  const signature = await sign(secret, body);
  expect(await hook().verify({ body, headers: { 'x-hub-signature-256': signature } })).toMatchObject({
    valid: true,
  });
  expect(await hook().verify({ body: `${body} `, headers: { [header]: signature } })).toEqual({
    valid: false,
    reason: 'mismatch',
  });
});
