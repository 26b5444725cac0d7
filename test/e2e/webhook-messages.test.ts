/** Webhooks whose body is sent to the signer as it was received, with the sender's own headers. */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { providers } from '../../src/api/providers.ts';
import { receivedNames } from '../../src/api/webhook-scheme.ts';
import { type HttpHeaders, SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { run } from '../support/command.ts';
import { post } from '../support/exchange.ts';
import { privateMemory } from '../support/process.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const webhooks = ['github', 'shopify', 'stripe', 'slack', 'standard-webhooks'] as const;

const configuration = `
keys:
  github: { encoding: text, format: github, maxMessageBytes: 26214400 }
  shopify: { encoding: text, format: shopify }
  stripe: { encoding: text, format: stripe }
  slack: { encoding: text, format: slack }
  standard-webhooks: { encoding: whsec, format: standard-webhooks }
  raw: {}
  jwt: { file: token, format: jwt, jwt: { issuer: 'https://shop.example', audience: api, maxLifetimeSeconds: 60 } }
  tenants: { deriveFrom: root, encoding: text, format: github }
`;

/** What a receiver behind a proxy has beside the headers of the signature. */
const others: HttpHeaders = {
  Host: 'shop.example',
  Connection: 'keep-alive, Upgrade',
  Upgrade: 'h2c',
  'Content-Type': 'application/json',
  'Content-Length': '7',
  'Content-Encoding': 'identity',
  'Transfer-Encoding': 'chunked',
  Expect: '100-continue',
  Cookie: ['session=1', 'theme=2'],
  Authorization: 'Basic abc',
  Origin: 'https://evil.example',
  'Sec-Signer': '2',
  'Sec-Signer-Signature': 'abc',
  'Sec-Fetch-Site': 'cross-site',
  Forwarded: 'for=192.0.2.1',
  Via: '1.1 proxy',
  'X-Forwarded-For': '192.0.2.1',
  'X-Real-IP': '192.0.2.1',
  ':path': '/hook',
  'X-Absent': undefined,
  'X-None': [],
  'X-Text': 'naïve €',
  'X-Line': 'a\r\nSec-Signer: 2',
  __proto__: 'x',
  constructor: 'x',
  Accept: ['*/*', 'text/html'],
};

const directory = temporaryDirectory();
const socketPath = join(directory.path, 'signer.sock');
const body = randomBytes(2 * 2 ** 20);
let signer: Signer;
let client: SignerClient;

beforeAll(async () => {
  const text = () => randomBytes(32).toString('hex');
  const named = Object.fromEntries(
    ['github', 'shopify', 'stripe', 'slack', 'root'].map((name) => [name, text()]),
  );
  const whsec = `whsec_${randomBytes(32).toString('base64')}`;
  const keys = join(directory.path, 'keys');
  writeVolume(keys, { ...named, 'standard-webhooks': whsec, raw: randomBytes(32), token: randomBytes(32) });
  const config = join(directory.path, 'signer.yaml');
  writeFileSync(config, configuration);
  signer = await startSigner(['--keys', keys, '--config', config, '--socket', socketPath]);
  await signer.ready();
  client = new SignerClient({ socketPath });
});
afterAll(async () => {
  await signer.stop();
  directory[Symbol.dispose]();
});

describe.each(webhooks)('%s', (name) => {
  const hook = () => client.keySet(name, name);
  const signed = async (): Promise<Record<string, string>> => ({
    ...(await hook().signMessage(body)).headers,
  });

  it('is verified by the client, among the other headers of a request', async () => {
    const headers = { ...others, ...(await signed()) };
    expect(await hook().verifyMessage(body, headers)).toMatchObject({ valid: true, primary: true });
    expect(await hook().verifyMessage(new Blob([body]).stream(), headers)).toMatchObject({ valid: true });
    expect(await hook().verifyMessage(body.subarray(1), headers)).toEqual({
      valid: false,
      reason: 'mismatch',
    });
    expect(await hook().verifyMessage(body, others)).toEqual({ valid: false, reason: 'missing' });
  });

  it('takes any number and length of headers that the format does not read', async () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`X-Own-${at}`, 'x']));
    const headers = { ...many, 'X-Long': 'x'.repeat(20_000), ...(await signed()) };
    expect(await hook().verifyMessage(body, headers)).toMatchObject({ valid: true });
  });

  it('answers malformed, without a call, to values that no header can carry', async () => {
    const nobody = new SignerClient({ socketPath: join(directory.path, 'nobody') }).keySet(name, name);
    const headers = await signed();
    for (const header of receivedNames(providers[name])) {
      for (const value of ['é', 'a\r\nb', '\0', 'x'.repeat(6 * 1024 + 1), Array(1000).fill('12345')]) {
        const malformed = { valid: false, reason: 'malformed' };
        expect(await nobody.verifyMessage(body, { ...headers, [header.toUpperCase()]: value })).toEqual(
          malformed,
        );
      }
    }
    const cancelled = Promise.withResolvers<void>();
    const message = new ReadableStream({ cancel: () => cancelled.resolve() });
    const [header = ''] = receivedNames(providers[name]);
    expect(await nobody.verifyMessage(message, { [header]: 'é' })).toMatchObject({ valid: false });
    await cancelled.promise;
  });

  it('gives the same answer as JSON', async () => {
    const headers = await signed();
    const short = body.subarray(0, 1000);
    const { headers: shortHeaders } = await hook().signMessage(short);
    const request = { body: short.toString('base64'), encoding: 'base64', headers: shortHeaders } as const;
    expect(await hook().verifyMessage(short, shortHeaders)).toEqual(await hook().verify(request));
    expect(await hook().verifyMessage(short, headers)).toEqual(await hook().verify({ ...request, headers }));
  });

  it('is verified by the command, with headers from a file or one by one', async () => {
    const [message, file] = [join(directory.path, 'message'), join(directory.path, 'headers')];
    writeFileSync(message, body);
    const lines = Object.entries(await signed()).map(([header, value]) => `${header}: ${value}`);
    writeFileSync(file, `${lines.join('\r\n')}\r\nContent-Type: application/json\r\n\r\n`);
    const verify = (...args: readonly string[]) => run(['verify', name, ...args, '--socket', socketPath]);
    const valid = {
      code: 0,
      stdout: expect.stringMatching(/^valid, by the primary key [0-9a-f]{16}\n$/),
      stderr: '',
    };
    expect(await verify('--header', `@${file}`, message)).toEqual(valid);
    const advice = {
      code: 1,
      stdout: '',
      stderr:
        'sidecar-signer: the format of this key set takes its signature from headers: sidecar-signer verify KEY --header @FILE [BODY]\n',
    };
    expect(await verify(message)).toEqual(advice);
    expect(await verify(message, '--json')).toEqual(advice);
    expect(await verify(...lines.flatMap((line) => ['-H', line]), '-H', 'Host: x', message)).toEqual(valid);
    expect(await verify('-H', 'Host: x', message)).toEqual({
      code: 1,
      stdout: 'not valid: missing\n',
      stderr: '',
    });
  });

  it('is refused as JSON when one of its headers came as an HTTP header', async () => {
    const { headers } = await hook().signMessage(Buffer.from('{}'));
    // What a sender would write who has one signature, and a receiver that passes on its Content-Type.
    const forged = { body: '{}', headers };
    const names = [...Object.keys(headers), ...(name === 'shopify' ? ['Shopify-Hmac-Sha256'] : [])];
    if (name === 'standard-webhooks') names.push('svix-id', 'svix-timestamp', 'svix-signature');
    for (const header of names) {
      for (const [operation, request] of [
        ['verify', forged],
        ['verify-batch', { items: [forged] }],
      ] as const) {
        const options = { headers: { [header.toUpperCase()]: 'x' } };
        const { status, body } = await post(
          { socketPath },
          `/v1/keys/${name}/${operation}`,
          request,
          options,
        );
        expect([status, body['code']]).toEqual([400, 'malformed_request']);
        expect(body['detail']).toContain('application/octet-stream');
      }
    }
    expect(await hook().verify(forged)).toMatchObject({ valid: true });
  });
});

it.each(['é', '', ' ', 'x', 'x'.repeat(7000)])(
  'judges the same signature as JSON when a sender adds a header of the other names',
  async (added) => {
    const hook = client.keySet('standard-webhooks', 'standard-webhooks');
    const { headers } = await hook.sign({ body: 'hello' });
    const svix = Object.entries(headers).map(([name, value]) => [name.replace('webhook', 'svix'), value]);
    const genuine = Object.fromEntries(svix);
    expect(await hook.verifyMessage(Buffer.from('hello'), genuine)).toMatchObject({ valid: true });
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
      const received = { ...genuine, [name]: added };
      expect(await hook.verify({ body: 'hello', headers: received })).toMatchObject({ valid: false });
      expect(await hook.verifyMessage(Buffer.from('hello'), received)).toMatchObject({ valid: false });
    }
  },
);

it('refuses a raw verification that has a signature in JSON and in a header', async () => {
  const { signature } = await client.keySet('raw', 'raw').sign({ message: 'hello' });
  const options = { headers: { 'Sec-Signer-Signature': signature } };
  const request = { message: 'hello', signature };
  const refused = await post({ socketPath }, '/v1/keys/raw/verify', request, options);
  expect([refused.status, refused.body['code']]).toEqual([400, 'malformed_request']);
  const signed = await post({ socketPath }, '/v1/keys/raw/sign', { message: 'hello' }, options);
  expect(signed.body).toMatchObject({ signature });
});

it.each(['jwt', 'tenants'])('refuses a message for the key set %s with 415', async (name) => {
  const { status, body: problem } = await post({ socketPath }, `/v1/keys/${name}/verify`, body);
  expect([status, problem['code']]).toEqual([415, 'unsupported_media_type']);
});

it('refuses a message that is longer than the policy allows', async () => {
  const long = new Blob(Array.from({ length: 26 }, () => body.subarray(0, 2 ** 20))).stream();
  const { headers } = await client.keySet('github', 'github').signMessage(body);
  await expect(client.keySet('github', 'github').verifyMessage(long, headers)).rejects.toMatchObject({
    code: 'message_too_large',
  });
});

it('verifies 20 MiB in constant memory', async () => {
  const hook = client.keySet('github', 'github');
  const message = randomBytes(20 * 2 ** 20);
  const { headers } = await hook.signMessage(message);
  const before = privateMemory(signer);
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, privateMemory(signer));
  }, 1);
  expect(await hook.verifyMessage(message, headers)).toMatchObject({ valid: true });
  clearInterval(watch);
  expect((peak - before) / 2 ** 20).toBeLessThan(4);
});
