/** `http-signature` and the client http-message-signatures: each accepts what the other signs. */

import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSigner, createVerifier, httpbis } from 'http-message-signatures';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpRequest, HttpSignature, HttpSignatureVerification } from '../../src/api/messages.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const keySets = {
  usual: { secret: randomBytes(32), options: '{}' },
  configured: {
    secret: randomBytes(64),
    options:
      '{ label: ours, tag: orders, nonce: true, expiresSeconds: 60, components: ["@target-uri", "@method", "@scheme", "@request-target", accept, content-digest, "@query-param;name=\\"id\\""] }',
  },
};
type KeySetName = keyof typeof keySets;
const names = Object.keys(keySets) as KeySetName[];

const directory = temporaryDirectory();
let signer: Signer;

beforeAll(async () => {
  const entries = Object.entries(keySets).map(([name, { secret, options }]) => {
    writeFileSync(join(directory.path, name), secret);
    return `  ${name}: { format: http-signature, http-signature: ${options} }\n`;
  });
  const config = join(directory.path, 'signer.yaml');
  writeFileSync(config, `keys:\n${entries.join('')}`);
  signer = await startSigner(['--keys', directory.path, '--config', config]);
  await signer.ready();
});
afterAll(async () => {
  await signer?.stop();
  directory[Symbol.dispose]();
});

async function ask<A>(name: KeySetName, operation: string, request: object): Promise<A> {
  const response = await signer.call(`/v1/keys/${name}/${operation}`, request);
  expect(response.status).toBe(200);
  return (await response.json()) as A;
}

type Message = HttpRequest & { readonly headers: Record<string, string | string[]> };

const messages: Readonly<Record<string, Message>> = {
  'a request without a body': {
    method: 'GET',
    url: 'https://example.com/orders?id=7',
    headers: { Accept: 'application/json' },
  },
  'a body': {
    method: 'POST',
    url: 'https://example.com/orders?id=7&note=a%20b',
    headers: { Accept: '*/*', 'Content-Type': 'application/json' },
    body: '{"hello": "w\u00f6rld"}',
  },
  'a port and a header that is repeated': {
    method: 'PUT',
    url: 'http://127.0.0.1:8080/a//b%2Fc?id=%C3%A9',
    headers: { Accept: ['application/json', ' text/plain;q=0.5 '] },
    body: 'x',
  },
};

/** What the client needs: node's own kind of headers, and no body. */
const forClient = ({ method, url, headers }: Message) => ({ method, url, headers: { ...headers } });

async function acceptedByClient(name: KeySetName, message: Message): Promise<boolean> {
  const { secret } = keySets[name];
  try {
    const answer = await httpbis.verifyMessage(
      {
        keyLookup: async () => ({
          algs: ['hmac-sha256'],
          verify: createVerifier(secret, 'hmac-sha256'),
        }),
        requiredFields: ['@method'],
        requiredParams: ['created', 'keyid', 'alg'],
        maxAge: 300,
        tolerance: 5,
      },
      forClient(message),
    );
    return answer === true;
  } catch {
    return false;
  }
}

describe.each(names)('a key set that is %s', (name) => {
  describe.each(Object.entries(messages))('with %s', (_, message) => {
    it('is accepted by the client', async () => {
      const { headers } = await ask<HttpSignature>(name, 'sign', message);
      const sent = { ...message, headers: { ...message.headers, ...headers } };
      expect(await acceptedByClient(name, sent)).toBe(true);
      expect(await ask(name, 'verify', sent)).toMatchObject({ valid: true, primary: true });
      expect(await acceptedByClient(name, { ...sent, method: 'DELETE' })).toBe(false);
    });

    it('accepts the client', async () => {
      const { secret } = keySets[name];
      const body = message.body ?? '';
      const digest = createHash('sha512').update(body).digest('base64');
      const tag = name === 'configured' ? { tag: 'orders', nonce: 'n-1' } : {};
      const signed = await httpbis.signMessage(
        {
          key: createSigner(secret, 'hmac-sha256', 'their name for it'),
          fields: [
            '@method',
            '@target-uri',
            '@request-target',
            'accept',
            'content-digest',
            '@query-param;name="id"',
          ],
          params: ['keyid', 'alg', 'created', 'expires', ...Object.keys(tag)],
          paramValues: tag,
        },
        forClient({
          ...message,
          headers: { ...message.headers, 'Content-Digest': `sha-512=:${digest}:` },
        }),
      );
      const answer = await ask<HttpSignatureVerification>(name, 'verify', {
        ...message,
        headers: signed.headers,
      });
      expect(answer).toMatchObject({ valid: true, ...(name === 'configured' && { nonce: 'n-1' }) });
      const altered = { ...message, headers: signed.headers, body: `${body}!` };
      expect(await ask(name, 'verify', altered)).toMatchObject({ valid: false, reason: 'mismatch' });
    });
  });
});

/** The same signature with the white space that some implementations write, and RFC 9651 discards. */
function spread(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => {
    if (name.toLowerCase() !== 'signature-input') return [name, `${value}`];
    return [
      name,
      `${value}`.replaceAll(';', '; ').replace('(', '( ').replace(')', ' )').replaceAll('" "', '"  "'),
    ];
  });
  return Object.fromEntries(entries);
}

describe('white space that RFC 9651 discards', () => {
  const message = messages['a body'] as Message;

  it('is discarded in a signature of the client', async () => {
    const digest = createHash('sha256')
      .update(message.body ?? '')
      .digest('base64');
    const signed = await httpbis.signMessage(
      {
        key: createSigner(keySets.usual.secret, 'hmac-sha256', 'x'),
        fields: ['@method', '@target-uri', 'content-digest'],
        params: ['created', 'keyid', 'alg'],
      },
      forClient({ ...message, headers: { ...message.headers, 'Content-Digest': `sha-256=:${digest}:` } }),
    );
    const headers = spread(signed.headers);
    expect(headers).not.toEqual(signed.headers);
    expect(await ask('usual', 'verify', { ...message, headers })).toMatchObject({ valid: true });
    expect(await ask('usual', 'verify', { ...message, method: 'PUT', headers })).toMatchObject({
      reason: 'mismatch',
    });
  });

  it('is discarded in ours, by the client', async () => {
    const { headers } = await ask<HttpSignature>('usual', 'sign', message);
    const sent = { ...message, headers: { ...message.headers, ...spread(headers) } };
    expect(await acceptedByClient('usual', sent)).toBe(true);
    expect(await ask('usual', 'verify', sent)).toMatchObject({ valid: true });
  });
});

it('refuses what the client accepts by default: a signature that covers nothing, and has no time', async () => {
  const message = forClient(messages['a request without a body'] as Message);
  const key = createSigner(keySets.usual.secret, 'hmac-sha256', 'x');
  const signed = await httpbis.signMessage({ key, fields: [], params: ['keyid'] }, message);
  const verify = createVerifier(keySets.usual.secret, 'hmac-sha256');
  const lax = await httpbis.verifyMessage({ keyLookup: async () => ({ verify }) }, signed);
  expect(lax).toBe(true);
  const answer = await ask('usual', 'verify', signed);
  expect(answer).toMatchObject({ valid: false, reason: 'not_allowed' });
});

it('answers every item of a batch', async () => {
  const items = Object.entries(messages).map(([reference, message]) => ({ ...message, reference }));
  const { results } = await ask<{ results: (HttpSignature & { reference: string })[] }>(
    'usual',
    'sign-batch',
    { items: [...items, { ...items[0], url: 'nowhere', reference: 'bad' }] },
  );
  expect(results.map(({ reference }) => reference)).toEqual([...Object.keys(messages), 'bad']);
  expect(results.at(-1)).toMatchObject({ error: { code: 'malformed_request' } });
  for (const { reference, headers } of results.slice(0, -1)) {
    const message = messages[reference] as Message;
    expect(await acceptedByClient('usual', { ...message, headers: { ...message.headers, ...headers } })).toBe(
      true,
    );
  }
});
