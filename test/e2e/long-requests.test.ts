/** Requests that are long: as JSON up to one bound, beyond it only where the message can go as it is. */

import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { type Answer, begin, post, write } from '../support/exchange.ts';

const keySets = {
  raw: {},
  'standard-webhooks': { format: 'standard-webhooks' },
  github: { format: 'github' },
  stripe: { format: 'stripe' },
  slack: { format: 'slack' },
  shopify: { format: 'shopify' },
  jwt: { format: 'jwt' },
  cookie: { format: 'cookie' },
  'http-signature': { format: 'http-signature' },
  'aws-sigv4': {
    format: 'aws-sigv4',
    'aws-sigv4': { accessKeyId: 'AKIDEXAMPLE', services: ['s3'], regions: ['eu-central-1'] },
  },
  'tenants-raw': { deriveFrom: 'tenants-raw', allow: ['sign', 'verify'] },
  'tenants-github': { deriveFrom: 'tenants-github', format: 'github' },
} as const;
type Name = keyof typeof keySets;
type Operation = 'sign' | 'verify';

const secrets = new Map(Object.keys(keySets).map((name) => [name, randomBytes(64)]));
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured(Object.fromEntries(secrets), keySets);
});
afterAll(() => running[Symbol.asyncDispose]());

const send = (name: Name, operation: string, body: Uint8Array | object, headers = {}): Promise<Answer> =>
  post(running.signer.url, `/v1/keys/${name}/${operation}`, body, { headers });
/** Sends a part of a body; the answer does not wait for the rest. */
const beginTo = async (name: Name, operation: string, headers: object, part = ''): Promise<Answer> => {
  const type = { 'content-type': 'application/json' };
  const exchange = begin(running.signer.url, `/v1/keys/${name}/${operation}`, {
    headers: { ...type, ...headers },
  });
  exchange.request.flushHeaders();
  if (part !== '') await write(exchange, part);
  try {
    return await exchange.answer;
  } finally {
    exchange.request.destroy();
  }
};
const chunks = { 'transfer-encoding': 'chunked' };

const message = 'x'.repeat(70_000);
const http = { method: 'POST', url: 'https://a.example/', body: message };
const tenant = 'acme';
const requests: Readonly<Record<Exclude<Name, 'jwt'>, object>> = {
  raw: { message },
  'standard-webhooks': { body: message, id: 'msg_1' },
  github: { body: message },
  stripe: { body: message },
  slack: { body: message },
  shopify: { body: message },
  cookie: { value: message },
  'http-signature': http,
  'aws-sigv4': http,
  'tenants-raw': { tenant, message },
  'tenants-github': { tenant, body: message },
};
/** Where a message can go as it is. */
const streaming: readonly Name[] = ['raw', 'standard-webhooks', 'github', 'stripe', 'slack', 'shopify'];

/** What turns a signature into what is to be verified. */
function toVerify(name: Name, request: object, { keyId, algorithm, ...signature }: Answer['body']): object {
  if (name === 'cookie') return signature;
  const { id, ...rest } = request as { id?: string };
  return { ...rest, ...signature };
}

describe.each(Object.entries(requests) as [Exclude<Name, 'jwt'>, object][])(
  '70 kB for %s',
  (name, request) => {
    it('are signed and verified as JSON, and where it can be as the message itself', async () => {
      const { body: signature } = await send(name, 'sign', request);
      expect(signature).toMatchObject({ keyId: expect.any(String) });
      const asItIs = await send(name, 'sign', Buffer.from(message));
      expect(asItIs.status).toBe(streaming.includes(name) ? 200 : 415);

      const verification = toVerify(name, request, signature);
      const verified = await send(name, 'verify', verification);
      expect(verified).toMatchObject({ status: 200, body: { valid: true, primary: true } });
      const batch = await send(name, 'verify-batch', { items: [verification] });
      expect(batch.body).toMatchObject({ results: [{ valid: true }] });
      if (streaming.includes(name)) {
        const headers =
          name === 'raw'
            ? { 'sec-signer-signature': String(signature['signature']) }
            : Object(signature['headers']);
        const streamed = await send(name, 'verify', Buffer.from(message), headers);
        expect(streamed.body).toMatchObject({ valid: true });
      }
    });
  },
);

describe('70 kB for jwt', () => {
  it('are verified; the claims of a token have a bound of their own', async () => {
    const signed = await send('jwt', 'sign', { claims: { text: message } });
    expect(signed).toMatchObject({
      status: 413,
      body: { detail: 'the claims of a token have at most 16384 bytes as JSON' },
    });
    const token = `e30.${Buffer.from(message).toString('base64url')}.AA`;
    expect(await send('jwt', 'verify', { token })).toMatchObject({ status: 200, body: { valid: false } });
  });
});

describe.each(Object.keys(keySets) as Name[])('the bound of %s', (name) => {
  const ofLength = (bytes: number) => `{"message":"${'x'.repeat(bytes - '{"message":""}'.length)}"}`;

  it.each<Operation>(['sign', 'verify'])(
    'to %s is exact, and beyond it there is a way only where it leads somewhere',
    async (operation) => {
      for (const path of [operation, `${operation}-batch`] as const) {
        const bound = 2 ** 20;
        const canStream = path === operation && streaming.includes(name);
        const advice = canStream
          ? 'send the message itself as application/octet-stream'
          : path === operation
            ? 'send less'
            : 'send fewer items at once';
        const refused = {
          status: 413,
          headers: { connection: 'close' },
          body: {
            code: 'message_too_large',
            detail: `a JSON body has at most 1048576 bytes; ${advice}`,
          },
        };
        const tooLong = [
          beginTo(name, path, { 'content-length': bound + 1 }),
          beginTo(name, path, chunks, ofLength(bound + 1)),
        ];
        for (const answer of await Promise.all(tooLong)) expect(answer).toMatchObject(refused);
        // Of a byte less, it is the shape that is wrong.
        const { status, body } = await send(name, path, JSON.parse(ofLength(bound)));
        expect(name === 'raw' && path === 'sign' ? status : body['code']).toBe(
          name === 'raw' && path === 'sign' ? 200 : 'malformed_request',
        );
      }
    },
  );
});

it('a message as it is has no bound', async () => {
  const long = randomBytes(3_000_000);
  const tag = createHmac('sha256', secrets.get('raw') ?? '')
    .update(long)
    .digest('hex');
  expect(await send('raw', 'sign', long)).toMatchObject({ body: { signature: tag } });
  const verified = await send('raw', 'verify', long, { 'sec-signer-signature': tag });
  expect(verified.body).toMatchObject({ valid: true });
});
