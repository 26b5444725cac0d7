/** Python's and OpenSSL's HMAC: for `raw`, and for the webhook formats that have no library of their own here. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';

const key = randomBytes(32);
const secret = randomBytes(24).toString('base64');
const body = Buffer.concat([Buffer.from('token=x&text=na%C3%AFve+'), randomBytes(200)]);
const request = { body: body.toString('base64'), encoding: 'base64' } as const;

interface Command {
  readonly name: string;
  readonly command: string;
  /** Arguments with which it reads a message and prints the tag in hex, alone or as the last word. */
  readonly args: (hash: string, hexKey: string) => readonly string[];
}

const script =
  'import hmac, sys; print(hmac.new(bytes.fromhex(sys.argv[2]), sys.stdin.buffer.read(), sys.argv[1]).hexdigest())';
const pythonHash = (hash: string) => hash.replace('sha3-', 'sha3_');
const commands: readonly Command[] = [
  { name: 'Python', command: 'python3', args: (hash, hexKey) => ['-c', script, pythonHash(hash), hexKey] },
  {
    name: 'OpenSSL',
    command: 'openssl',
    args: (hash, hexKey) => ['dgst', `-${hash}`, '-mac', 'HMAC', '-macopt', `hexkey:${hexKey}`],
  },
];
const algorithms = {
  HS256: 'sha256',
  HS384: 'sha384',
  HS512: 'sha512',
  'HMAC-SHA3-256': 'sha3-256',
  'HMAC-SHA3-384': 'sha3-384',
  'HMAC-SHA3-512': 'sha3-512',
} as const;
const rawKeys = Object.keys(algorithms).map((name) => [name, randomBytes(64)] as const);

let running: ConfiguredSigner;
beforeAll(async () => {
  running = await startConfigured(
    { ...Object.fromEntries(rawKeys), shop: secret, workspace: key },
    {
      ...Object.fromEntries(rawKeys.map(([algorithm]) => [algorithm, { algorithm }])),
      shop: { encoding: 'text', format: 'shopify' },
      workspace: { format: 'slack' },
    },
  );
});
afterAll(() => running[Symbol.asyncDispose]());

describe.each(commands)('$name', ({ command, args }) => {
  // Not synchronously: a blocked client does not notice that the signer closes an idle connection.
  const tagOf = async (hash: string, hmacKey: Uint8Array | string, message: Uint8Array) => {
    const hexKey = Buffer.from(hmacKey).toString('hex');
    const child = spawn(command, args(hash, hexKey), { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(message);
    const printed = (await text(child.stdout)).trim();
    return Buffer.from(printed.split(' ').at(-1) ?? '', 'hex');
  };

  it.each(rawKeys)('agrees on raw signatures of %s', async (algorithm, rawKey) => {
    const raw = running.client.keySet(algorithm, 'raw');
    const hash = algorithms[algorithm as keyof typeof algorithms];
    const signature = (await tagOf(hash, rawKey, body)).toString('hex');
    const message = { message: request.body, encoding: request.encoding };
    expect(await raw.sign(message)).toMatchObject({ signature, algorithm });
    expect(await raw.verify({ ...message, signature })).toMatchObject({ valid: true });
    expect(await raw.verifyMessage(body, signature)).toMatchObject({ valid: true });
  });

  it('agrees on the signatures of Shopify', async () => {
    const shop = running.client.keySet('shop', 'shopify');
    const tag = await tagOf('sha256', secret, body);
    const headers = { 'X-Shopify-Hmac-Sha256': tag.toString('base64') };
    expect((await shop.sign(request)).headers).toEqual(headers);
    expect(await shop.verify({ ...request, headers })).toMatchObject({ valid: true });
  });

  it('agrees on the signatures of Slack', async () => {
    const workspace = running.client.keySet('workspace', 'slack');
    const headersAt = async (timestamp: string) => {
      const tag = await tagOf('sha256', key, Buffer.concat([Buffer.from(`v0:${timestamp}:`), body]));
      return { 'X-Slack-Request-Timestamp': timestamp, 'X-Slack-Signature': `v0=${tag.toString('hex')}` };
    };
    const { headers } = await workspace.sign(request);
    expect(headers).toEqual(await headersAt(headers['X-Slack-Request-Timestamp'] ?? ''));
    const now = `${Math.floor(Date.now() / 1000)}`;
    expect(await workspace.verify({ ...request, headers: await headersAt(now) })).toMatchObject({
      valid: true,
    });
  });
});
