/** `challenge` of the TypeScript client against the compiled binary. */

import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/api/errors.ts';
import type { Formats, KeySet } from '../../src/client/index.ts';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const keys = { zoom: 'the secret token of a Zoom app', x: 'the consumer secret of an X app' };
const text = { encoding: 'text', allow: ['verify', 'challenge'] } as const;
const own = {
  signed: 'v1:{timestamp}:{body}',
  headers: { 'X-Signature': '{signature}', 'X-Time': '{timestamp}' },
  challenge: { signed: '{token}', response: 'v1={signature}', output: 'base64', pattern: '[a-z]{4,9}' },
} as const;
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured(
    {
      zoom: keys.zoom,
      x: keys.x,
      own: `${keys.zoom}!`,
      silent: `${keys.zoom}?`,
      root: `${keys.x}, which is long`,
    },
    {
      zoom: { ...text, format: 'zoom' },
      x: { ...text, format: 'x' },
      own: { ...text, format: 'webhook', webhook: own },
      silent: { encoding: 'text', format: 'zoom' },
      tenants: { ...text, deriveFrom: 'root', format: 'zoom', tenants: ['acme', 'globex'] },
    },
  );
});
afterAll(() => running[Symbol.asyncDispose]());

const tag = (key: string, token: string) => createHmac('sha256', key).update(token);
const keySet = <F extends keyof Formats>(name: string, format: F): KeySet<F> =>
  running.client.keySet(name, format);

describe('a challenge', () => {
  it('is answered as the provider wants it', async () => {
    const zoom = await keySet('zoom', 'zoom').challenge({ token: 'qgg8vlvZRS6UYooatFL8Aw' });
    // The compiler knows the answer.
    const response: string = zoom.response;
    expect(response).toBe(tag(keys.zoom, 'qgg8vlvZRS6UYooatFL8Aw').digest('hex'));
    const token = '9b4507b3-9040-4669-9ca3-6b94edb50553';
    const x = await keySet('x', 'x').challenge({ token });
    expect(x).toEqual({ response: `sha256=${tag(keys.x, token).digest('base64')}` });
    const custom = await keySet('own', 'webhook').challenge({ token: 'abcd' });
    expect(custom).toEqual({ response: `v1=${tag(`${keys.zoom}!`, 'abcd').digest('base64')}` });
  });

  it('has the key of its tenant', async () => {
    const tenants = keySet('tenants', 'zoom');
    const ask = (tenant: string) => tenants.challenge({ token: 'qgg8vlvZRS6UYooatFL8Aw', tenant });
    const [acme, again, globex] = await Promise.all(['acme', 'acme', 'globex'].map(ask));
    expect(acme).toEqual({ response: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(again).toEqual(acme);
    expect(globex).not.toEqual(acme);
  });

  it.each<[string, 'zoom' | 'github', object, ErrorCode]>([
    ['silent', 'zoom', { token: 'qgg8vlvZRS6UYooatFL8Aw' }, 'operation_not_allowed'],
    ['zoom', 'zoom', { token: 'v0:1:{}' }, 'malformed_request'],
    ['zoom', 'zoom', { token: '' }, 'malformed_request'],
    ['zoom', 'zoom', { token: 'abcdefgh', other: 1 }, 'malformed_request'],
    ['zoom', 'zoom', {}, 'malformed_request'],
    ['tenants', 'zoom', { token: 'abcdefgh' }, 'malformed_request'],
    ['tenants', 'zoom', { token: 'abcdefgh', tenant: 'other' }, 'unknown_key'],
    ['missing', 'zoom', { token: 'abcdefgh' }, 'unknown_key'],
  ])('of the key set %s, format %s, with %j is refused: %s', async (name, format, request, code) => {
    const asked = keySet(name, format).challenge(request as { token: string });
    await expect(asked).rejects.toMatchObject({ name: 'SignerError', code });
  });

  it('is refused by the compiler without a token, or with a token of another type', () => {
    const { challenge } = keySet('zoom', 'zoom');
    const wrong = [
      // @ts-expect-error
      () => challenge({}),
      // @ts-expect-error
      () => challenge({ token: 7 }),
      // @ts-expect-error
      () => challenge({ token: 'abcdefgh', body: '' }),
    ];
    expect(wrong).toHaveLength(3);
  });

  it('ends with the reason of its signal', async () => {
    const reason = new Error('enough');
    const asked = keySet('zoom', 'zoom').challenge(
      { token: 'abcdefgh' },
      { signal: AbortSignal.abort(reason) },
    );
    await expect(asked).rejects.toBe(reason);
  });
});
