/** Custom webhook schemes and challenges in the compiled binary: the client, streams, batches, tenants, a changed scheme. */

import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpHeaders, SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { begin, post, write } from '../support/exchange.ts';
import { leaks } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const names = [
  'partner',
  'body',
  'media',
  'event',
  'numbered',
  'twilio',
  'zoom',
  'x',
  'own',
  'silent',
  'limited',
];
const yaml = `keys:
  partner:
    encoding: text
    format: webhook
    maxMessageBytes: 4194304
    webhook:
      signed: "v1\\n{timestamp}\\n{method}\\n{url}\\n{header:x-event}\\n{body}"
      headers:
        X-Partner: ["t={timestamp}", "v1={signature}"]
        X-Partner-Version: "2"
      aliases: { X-Partner: [x-old-partner] }
  body:
    encoding: text
    format: webhook
    algorithm: HS512
    webhook:
      signed: "{body}"
      headers: { X-Body-Signature: "{signature}" }
      output: base64url
      timestamp: milliseconds
      bodyTimestamp: /at
      toleranceSeconds: 60
  media:
    encoding: text
    format: webhook
    webhook: { signed: "{header:content-type}\\n{body}", headers: { X-Media: "{signature}" } }
  event:
    encoding: text
    format: webhook
    webhook: { signed: "{id}.{body}", headers: { X-Event-Id: "{id}", X-Event: "{keyId}:{signature}" } }
  numbered:
    encoding: text
    format: webhook
    algorithm: HMAC-SHA1
    webhook: { signed: "{body}", headers: { "X-Sig-{n}": "{signature}" }, signWith: all }
  tenants:
    deriveFrom: root
    format: webhook
    webhook: { signed: "{nonce}.{body}", headers: { X-Nonce: "{nonce}", X-Sig: "{signature}" } }
  twilio: { encoding: text, format: twilio }
  zoom: { encoding: text, format: zoom, allow: [verify, challenge] }
  x: { encoding: text, format: x, allow: [verify, challenge] }
  own:
    encoding: text
    format: webhook
    allow: [challenge]
    webhook:
      signed: "v0:{timestamp}:{body}"
      headers: { X-Time: "{timestamp}", X-Sig: "{signature}" }
      challenge: { signed: "own:{token}", response: "ok={signature}", output: base64, pattern: "[a-f]{4}-[0-9]{1,3}" }
  silent: { encoding: text, format: zoom }
  limited: { encoding: text, format: zoom, allow: [challenge], rateLimit: { perSecond: 0.01, burst: 3 } }
`;

const directory = temporaryDirectory();
const keys = join(directory.path, 'keys');
const config = join(directory.path, 'config');
const socketPath = join(directory.path, 'signer.sock');
const target = { socketPath };
const secrets: Record<string, string> = Object.fromEntries(
  names.map((name) => [name, randomBytes(24).toString('hex')]),
);
const root = randomBytes(32);
let signer: Signer;
let client: SignerClient;

beforeAll(async () => {
  writeVolume(keys, { ...secrets, root });
  writeVolume(config, { 'signer.yaml': yaml });
  signer = await startSigner([
    '--keys',
    keys,
    '--config',
    join(config, 'signer.yaml'),
    '--socket',
    socketPath,
  ]);
  await signer.ready();
  client = new SignerClient({ socketPath });
});
afterAll(async () => {
  for (const secret of [...Object.values(secrets), root]) {
    expect(leaks(signer.output(), Buffer.from(secret))).toEqual([]);
  }
  expect(await signer.stop()).toBe(0);
  directory[Symbol.dispose]();
});

const hmac = (
  name: string,
  message: string | Buffer,
  hash = 'sha256',
  output: 'hex' | 'base64' | 'base64url' = 'hex',
) =>
  createHmac(hash, secrets[name] ?? '')
    .update(message)
    .digest(output);
const refusal = async (path: string, request: object, headers = {}) => {
  const { status, body } = await post(target, path, request, { headers });
  return [status, body['code']];
};
const now = () => Math.floor(Date.now() / 1000);

describe('a scheme that signs the request', () => {
  const message = randomBytes(100_000);
  const url = 'https://shop.example/hooks/in?a=%20b';
  const told = { url, method: 'POST' };
  const received = (time = now(), event = 'paid'): HttpHeaders => {
    const text = `v1\n${time}\nPOST\n${url}\n${event}\n`;
    const tag = hmac('partner', Buffer.concat([Buffer.from(text), message]));
    return { 'X-Event': event, 'x-partner': `t=${time}, v1=${tag}`, 'X-Partner-Version': '2' };
  };
  /** What a receiver behind a proxy has beside them. */
  const others: HttpHeaders = {
    Host: 'shop.example',
    Connection: 'keep-alive, Upgrade',
    Upgrade: 'h2c',
    'Content-Type': 'application/json',
    'Content-Length': '7',
    'Transfer-Encoding': 'chunked',
    Cookie: ['session=1', 'theme=2'],
    Authorization: 'Basic abc',
    Origin: 'https://evil.example',
    'Sec-Signer': '2',
    'Sec-Signer-Url': 'https://evil.example/',
    'Sec-Signer-Method': 'PUT',
    'Sec-Fetch-Site': 'cross-site',
    Forwarded: 'for=192.0.2.1',
    Via: '1.1 proxy',
    'X-Forwarded-For': '192.0.2.1',
    'X-Forwarded-Host': 'evil.example',
    'X-Real-IP': '192.0.2.1',
    Accept: ['*/*', 'text/html'],
  };
  const hook = () => client.keySet('partner', 'webhook');

  it('is verified by the client, which passes on what can be passed on', async () => {
    const headers = { ...others, ...received() };
    expect(await hook().verifyMessage(message, headers, told)).toMatchObject({
      valid: true,
      primary: true,
      timestamp: expect.stringMatching(/^\d{10}$/),
    });
    expect(await hook().verifyMessage(new Blob([message]).stream(), headers, told)).toMatchObject({
      valid: true,
    });
    const mismatch = { valid: false, reason: 'mismatch' };
    expect(await hook().verifyMessage(message.subarray(1), headers, told)).toEqual(mismatch);
    expect(await hook().verifyMessage(message, headers, { ...told, method: 'PUT' })).toEqual(mismatch);
    expect(await hook().verifyMessage(message, headers, { ...told, url: `${url}c` })).toEqual(mismatch);
    expect(await hook().verifyMessage(message, { ...headers, 'X-Event': 'refunded' }, told)).toEqual(
      mismatch,
    );
    expect(await hook().verifyMessage(message, { ...headers, 'X-Partner-Version': '1' }, told)).toEqual({
      valid: false,
      reason: 'unsupported',
      detail: 'the header X-Partner-Version has another value than the scheme writes',
    });
    expect(await hook().verifyMessage(message, others, told)).toEqual({ valid: false, reason: 'missing' });
    expect(await hook().verifyMessage(message, received(now() - 400), told)).toEqual({
      valid: false,
      reason: 'expired',
    });
    await expect(hook().verifyMessage(message, headers)).rejects.toMatchObject({ code: 'malformed_request' });
    await expect(hook().verifyMessage(message, headers, { url })).rejects.toMatchObject({
      code: 'malformed_request',
    });
  });

  it('answers malformed, without a call, to values that no header can carry', async () => {
    const nobody = new SignerClient({ socketPath: join(directory.path, 'nobody') }).keySet(
      'partner',
      'webhook',
    );
    for (const value of ['é', 'a\r\nb', '\0', 'x'.repeat(6 * 1024 + 1)]) {
      expect(await nobody.verifyMessage(message, { ...received(), 'X-Partner': value }, told)).toEqual({
        valid: false,
        reason: 'malformed',
      });
    }
    await expect(nobody.verifyMessage(message, received(), { ...told, url: 'https://a/ b' })).rejects.toThrow(
      TypeError,
    );
    await expect(
      nobody.verifyMessage(message, received(), { ...told, method: 'POST\r\nHost: a' }),
    ).rejects.toThrow(TypeError);
  });

  it('gives the same answers as JSON', async () => {
    const { 'x-partner': value, ...rest } = received();
    for (const headers of [
      received(),
      { ...rest, 'X-Old-Partner': value },
      { ...rest, 'X-Partner': 't=1' },
      rest,
    ]) {
      const request = { body: message.toString('base64'), encoding: 'base64', headers, ...told } as const;
      expect(await hook().verifyMessage(message, headers, told)).toEqual(await hook().verify(request));
    }
  });

  it('is signed in parts, as it arrives', async () => {
    const headers = { 'Sec-Signer-Url': url, 'Sec-Signer-Method': 'POST', 'X-Event': 'paid' };
    const exchange = begin(target, '/v1/keys/partner/sign', { headers });
    for (let at = 0; at < message.length; at += 30_000) {
      await write(exchange, message.subarray(at, at + 30_000));
    }
    exchange.request.end();
    const { body } = await exchange.answer;
    const { 'X-Partner': value = '' } = body['headers'] as Record<string, string>;
    const time = Number(/t=(\d+)/.exec(value)?.[1]);
    expect({ 'X-Event': 'paid', 'x-partner': value.replace(',', ', '), 'X-Partner-Version': '2' }).toEqual(
      received(time),
    );
    const verification = await hook().verifyMessage(
      message,
      { ...(body['headers'] as HttpHeaders), 'X-Event': 'paid' },
      told,
    );
    expect(verification).toMatchObject({ valid: true });
  });

  it('refuses a message that is longer than the policy allows', async () => {
    const long = Buffer.alloc(5 * 2 ** 20);
    await expect(hook().verifyMessage(long, received(), told)).rejects.toMatchObject({
      code: 'message_too_large',
    });
  });

  it.each(['X-Partner', 'x-old-partner', 'X-PARTNER-VERSION', 'Sec-Signer-Url', 'Sec-Signer-Method'])(
    'refuses a JSON verification with %s as an HTTP header',
    async (name) => {
      const forged = {
        body: message.toString('base64'),
        encoding: 'base64',
        headers: received(),
        ...told,
      };
      expect(await hook().verify(forged as never)).toMatchObject({ valid: true });
      for (const [operation, request] of [
        ['verify', forged],
        ['verify-batch', { items: [forged] }],
      ] as const) {
        const { status, body } = await post(target, `/v1/keys/partner/${operation}`, request, {
          headers: { [name]: 'x' },
        });
        expect([status, body['code']]).toEqual([400, 'malformed_request']);
        expect(body['detail']).toContain('application/octet-stream');
      }
    },
  );
});

describe('a scheme that reads the body', () => {
  const bodyOf = (shift = 0, more = '') => Buffer.from(`{"at":${Date.now() + shift},"x":"${more}"}`);
  const header = (body: Buffer) => ({ 'X-Body-Signature': hmac('body', body, 'sha512', 'base64url') });
  const hook = () => client.keySet('body', 'webhook');

  it('signs what has the time of now, and verifies it as a stream', async () => {
    const body = bodyOf();
    expect((await hook().signMessage(body)).headers).toEqual(header(body));
    expect(await hook().verifyMessage(body, header(body))).toMatchObject({ valid: true });
    const old = bodyOf(-61_000);
    await expect(hook().signMessage(old)).rejects.toMatchObject({ code: 'unprocessable' });
    expect(await hook().verifyMessage(old, header(old))).toEqual({ valid: false, reason: 'expired' });
    await expect(hook().signMessage(Buffer.from('no JSON'))).rejects.toMatchObject({ code: 'unprocessable' });
  });

  it('takes 1 MiB of it, and answers 413 to more', async () => {
    const fits = bodyOf(0, 'a'.repeat(2 ** 20 - 40));
    expect(await hook().verifyMessage(fits, header(fits))).toMatchObject({ valid: true });
    const long = bodyOf(0, 'a'.repeat(2 ** 20));
    const refusal = { code: 'message_too_large' };
    await expect(hook().verifyMessage(long, header(long))).rejects.toMatchObject(refusal);
    await expect(hook().signMessage(long)).rejects.toMatchObject(refusal);
  });

  it('answers others while it reads a form of many fields', async () => {
    const form = Buffer.from('a&'.repeat(2 ** 19));
    const headers = { 'X-Twilio-Signature': Buffer.alloc(20).toString('base64') };
    const told = { url: 'https://shop.example/' };
    await expect(client.keySet('twilio', 'twilio').verifyMessage(form, headers, told)).rejects.toMatchObject({
      code: 'message_too_large',
    });
    const fields = Buffer.from('b=2&a=1');
    const genuine = { 'X-Twilio-Signature': hmac('twilio', 'https://shop.example/a1b2', 'sha1', 'base64') };
    expect(await client.keySet('twilio', 'twilio').verifyMessage(fields, genuine, told)).toMatchObject({
      valid: true,
    });
  });
});

it('a scheme that signs Content-Type takes it from JSON alone', async () => {
  const hook = client.keySet('media', 'webhook');
  const headers = { 'Content-Type': 'text/plain', 'X-Media': hmac('media', 'text/plain\nhello') };
  expect(await hook.verify({ body: 'hello', headers })).toMatchObject({ valid: true });
  await expect(hook.verifyMessage(Buffer.from('hello'), headers)).rejects.toMatchObject({
    code: 'unsupported_media_type',
  });
  await expect(hook.signMessage(Buffer.from('hello'))).rejects.toMatchObject({
    code: 'unsupported_media_type',
  });
  // Else a receiver's own header, and not the sender's, would have been signed.
  const { status } = await post(target, '/v1/keys/media/verify', Buffer.from('hello'), {
    headers: { 'X-Media': hmac('media', 'application/octet-stream\nhello') },
  });
  expect(status).toBe(415);
});

it('signs and verifies batches, in which one item may fail', async () => {
  const hook = client.keySet('event', 'webhook');
  const signed = await hook.signBatch([
    { body: 'one', id: 'order-1', reference: 'first' },
    { body: 'two', id: '2' },
    { body: 'three', url: 'https://shop.example/' },
    { body: 'four' },
  ]);
  const keyId = (await hook.describe()).primary;
  expect(signed).toEqual([
    {
      headers: { 'X-Event-Id': 'order-1', 'X-Event': `${keyId}:${hmac('event', 'order-1.one')}` },
      keyId,
      reference: 'first',
    },
    { error: expect.objectContaining({ code: 'malformed_request' }) },
    { error: expect.objectContaining({ code: 'malformed_request' }) },
    { headers: expect.objectContaining({ 'X-Event-Id': expect.stringMatching(/^msg_/) }), keyId },
  ]);
  const [first] = signed;
  if (first === undefined || 'error' in first) throw new Error('the first item failed');
  const verified = await hook.verifyBatch([
    { body: 'one', headers: first.headers },
    { body: 'two', headers: first.headers },
    { body: 'one', headers: {} },
    { body: 'one', headers: first.headers, tenant: 'a' } as never,
  ]);
  expect(verified).toEqual([
    { valid: true, keyId, primary: true, id: 'order-1' },
    { valid: false, reason: 'mismatch' },
    { valid: false, reason: 'missing' },
    { error: expect.objectContaining({ code: 'malformed_request' }) },
  ]);
});

it('has a key for each tenant', async () => {
  const hook = client.keySet('tenants', 'webhook');
  const { headers } = await hook.sign({ body: 'hello', tenant: 'acme' });
  const info = 'sidecar-signer/v1\0webhook\0acme';
  const secret = Buffer.from(hkdfSync('sha256', root, 'sidecar-signer', info, 32)).toString('hex');
  const tag = createHmac('sha256', secret).update(`${headers['X-Nonce']}.hello`).digest('hex');
  expect(headers['X-Sig']).toBe(tag);
  expect(await hook.verify({ body: 'hello', headers, tenant: 'acme' })).toMatchObject({
    valid: true,
    nonce: headers['X-Nonce'],
  });
  expect(await hook.verify({ body: 'hello', headers, tenant: 'globex' })).toEqual({
    valid: false,
    reason: 'mismatch',
  });
  await expect(hook.verify({ body: 'hello', headers })).rejects.toMatchObject({ code: 'malformed_request' });
  await expect(hook.verifyMessage(Buffer.from('hello'), headers)).rejects.toMatchObject({
    code: 'unsupported_media_type',
  });
});

describe('a challenge', () => {
  const plainToken = 'qgg8vlvZRS6UYooatFL8Aw';

  it('of zoom, x and a custom scheme', async () => {
    expect(await client.keySet('zoom', 'zoom').challenge({ token: plainToken })).toEqual({
      response: hmac('zoom', plainToken),
    });
    expect(await client.keySet('x', 'x').challenge({ token: plainToken })).toEqual({
      response: `sha256=${hmac('x', plainToken, 'sha256', 'base64')}`,
    });
    expect(await client.keySet('own', 'webhook').challenge({ token: 'abcd-7' })).toEqual({
      response: `ok=${hmac('own', 'own:abcd-7', 'sha256', 'base64')}`,
    });
  });

  it.each(['v0:1800000000:{}', 'v0:18000', `${plainToken}\n`, 'аbcdefgh', 'abc', 'a'.repeat(129)])(
    'does not sign %j',
    async (token) => {
      expect(await refusal('/v1/keys/zoom/challenge', { token })).toEqual([400, 'malformed_request']);
    },
  );

  it('gives no signature of a message', async () => {
    const { response } = await client.keySet('zoom', 'zoom').challenge({ token: plainToken });
    const headers = { 'x-zm-request-timestamp': `${now()}`, 'x-zm-signature': `v0=${response}` };
    for (const body of [plainToken, '']) {
      expect(await client.keySet('zoom', 'zoom').verify({ body, headers })).toEqual({
        valid: false,
        reason: 'mismatch',
      });
    }
  });

  it('must be allowed, and allows nothing else', async () => {
    const notAllowed = [403, 'operation_not_allowed'];
    expect(await refusal('/v1/keys/silent/challenge', { token: plainToken })).toEqual(notAllowed);
    expect(await refusal('/v1/keys/body/challenge', { token: plainToken })).toEqual(notAllowed);
    expect(await refusal('/v1/keys/zoom/sign', { body: 'x' })).toEqual(notAllowed);
    expect(await refusal('/v1/keys/own/verify', { body: 'x', headers: {} })).toEqual(notAllowed);
    expect(await refusal('/v1/keys/nobody/challenge', { token: plainToken })).toEqual([404, 'unknown_key']);
  });

  it('is a request of its own: POST, JSON, one at a time', async () => {
    const { url } = signer;
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const response = await fetch(`${url}/v1/keys/zoom/challenge`, {
        method,
        headers: { 'sec-signer': '1' },
      });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
    expect(await refusal('/v1/keys/zoom/challenge', Buffer.from(plainToken))).toEqual([
      415,
      'unsupported_media_type',
    ]);
    const octets = Buffer.from(JSON.stringify({ token: plainToken }));
    expect(await refusal('/v1/keys/zoom/challenge', octets)).toEqual([415, 'unsupported_media_type']);
    for (const path of [
      'challenge-batch',
      'challenge/',
      'Challenge',
      'challenges',
      'challenge?token=abcdefgh',
    ]) {
      const [status] = await refusal(`/v1/keys/zoom/${path}`, { items: [{ token: plainToken }] });
      expect([400, 404], path).toContain(status);
    }
    for (const request of [
      { items: [{ token: plainToken }] },
      { token: plainToken, tenant: 'acme' },
      { token: plainToken, reference: 'a' },
      { token: [plainToken] },
      { token: 12345678 },
      {},
      [],
    ]) {
      expect(await refusal('/v1/keys/zoom/challenge', request)).toEqual([400, 'malformed_request']);
    }
  });

  it('counts for the rate limit', async () => {
    for (let count = 0; count < 3; count++) {
      expect(await client.keySet('limited', 'zoom').challenge({ token: plainToken })).toHaveProperty(
        'response',
      );
    }
    expect(await refusal('/v1/keys/limited/challenge', { token: plainToken })).toEqual([429, 'rate_limited']);
  });

  it('is told of, and counted', async () => {
    expect(await client.keySet('zoom', 'zoom').describe()).toMatchObject({ allow: ['verify', 'challenge'] });
    const metrics = await (await fetch(`${signer.opsUrl}/metrics`)).text();
    expect(metrics).toMatch(/\{[^}]*[^}]*"zoom"[^}]*operation="challenge"[^}]*\} [1-9]/);
  });
});

describe('a scheme that changes', () => {
  const schemeOf = (prefix: string, header: string, more = '') =>
    `keys:\n  body:\n    encoding: text\n    format: webhook\n    webhook: { signed: "${prefix}{body}", headers: { ${header}: "{signature}" }${more} }\n`;

  it('is in force at once, as a whole, and one with a problem is not', async () => {
    using own = temporaryDirectory();
    const [ownKeys, ownConfig] = [join(own.path, 'keys'), join(own.path, 'config')];
    writeVolume(ownKeys, { body: secrets['body'] ?? '' });
    writeVolume(ownConfig, { 'signer.yaml': schemeOf('', 'X-One') });
    await using reloading = await startSigner([
      '--keys',
      ownKeys,
      '--config',
      join(ownConfig, 'signer.yaml'),
    ]);
    await reloading.ready();
    const hook = new SignerClient({ url: reloading.url }).keySet('body', 'webhook');
    const one = { 'X-One': hmac('body', 'hello') };
    const two = { 'X-Two': hmac('body', 'v2:hello') };
    const until = (expected: object) =>
      waitFor(async () => {
        const { headers } = await hook.sign({ body: 'hello' });
        // Of two schemes there is one or the other.
        expect([one, two]).toContainEqual(headers);
        return JSON.stringify(headers) === JSON.stringify(expected) || undefined;
      });
    await until(one);
    writeVolume(ownConfig, { 'signer.yaml': schemeOf('v2:', 'X-Two') });
    await until(two);
    expect(await hook.verify({ body: 'hello', headers: two })).toMatchObject({ valid: true });
    expect(await hook.verify({ body: 'hello', headers: one })).toEqual({ valid: false, reason: 'missing' });
    expect(await hook.verifyMessage(Buffer.from('hello'), { ...one, ...two })).toMatchObject({ valid: true });

    writeVolume(ownConfig, { 'signer.yaml': schemeOf('{url}', 'X-Three') });
    const problem = await waitFor(
      () => /keys\.body\.webhook\.signed: can be read in two ways[^"\\]*/.exec(reloading.output())?.[0],
    );
    expect(problem).toContain('the same bytes are url ');
    expect((await hook.sign({ body: 'hello' })).headers).toEqual(two);
    const status = await (await fetch(`${reloading.opsUrl}/status`)).text();
    expect(status).toContain('can be read in two ways');

    writeVolume(ownConfig, { 'signer.yaml': schemeOf('{url}', 'X-One', ', ambiguous: true') });
    await waitFor(() => reloading.output().includes('signs bytes that can be read in two ways') || undefined);
    await expect(hook.sign({ body: 'hello' })).rejects.toMatchObject({ code: 'malformed_request' });
    writeVolume(ownConfig, { 'signer.yaml': schemeOf('', 'X-One') });
    await waitFor(async () => {
      const answer = await hook.sign({ body: 'hello' }).catch(() => undefined);
      return answer && JSON.stringify(answer.headers) === JSON.stringify(one) ? true : undefined;
    });
  });

  it('keeps the retained key: both sign with signWith: all', async () => {
    using own = temporaryDirectory();
    const [ownKeys, ownConfig] = [join(own.path, 'keys'), join(own.path, 'config')];
    const [first, second] = [randomBytes(24).toString('hex'), randomBytes(24).toString('hex')];
    writeVolume(ownKeys, { numbered: first });
    const numbered = yaml.slice(yaml.indexOf('  numbered:'), yaml.indexOf('  tenants:'));
    writeVolume(ownConfig, { 'signer.yaml': `keys:\n${numbered}` });
    await using rotating = await startSigner(['--keys', ownKeys, '--config', join(ownConfig, 'signer.yaml')]);
    await rotating.ready();
    const hook = new SignerClient({ url: rotating.url }).keySet('numbered', 'webhook');
    const tag = (secret: string) => createHmac('sha1', secret).update('hello').digest('hex');
    expect((await hook.sign({ body: 'hello' })).headers).toEqual({ 'X-Sig-1': tag(first) });
    writeVolume(ownKeys, { numbered: second });
    const expected = { 'X-Sig-1': tag(second), 'X-Sig-2': tag(first) };
    const { headers } = await waitFor(async () => {
      const answer = await hook.sign({ body: 'hello' });
      return Object.keys(answer.headers).length === 2 ? answer : undefined;
    });
    expect(headers).toEqual(expected);
    expect(await hook.verify({ body: 'hello', headers: { 'X-Sig-7': tag(first) } })).toMatchObject({
      valid: true,
      primary: false,
    });
    expect(rotating.output()).toContain('uses HMAC-SHA1, an old hash');
  });
});
