/** A caller who tries to use, or to find, the key set of another caller. */

import { createHmac, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { leaks } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';
import { chunked, type Door, type Exchange, exchange, type Flaw, json, open, request } from './wire.ts';

const message = `canary-${randomBytes(8).toString('hex')}`;
const keys = { own: randomBytes(32), shared: randomBytes(32), secret: randomBytes(32) };
const zoom = randomBytes(32).toString('hex');
const yaml = `keys:
  own: { callers: { web: [sign, verify] } }
  shared: { callers: { web: [verify], worker: [sign] } }
  secret: { callers: { worker: [sign, verify] } }
  hooked: { encoding: text, format: zoom, callers: { worker: [verify, challenge] } }
`;
/** Of the length of `secret` and `hooked`. */
const nobody = 'nobody';

const directory = temporaryDirectory();
const socketOf = (caller: string): Door => ({
  at: { path: join(directory.path, caller) },
  host: 'localhost',
});
const [web, worker] = ['web', 'worker'].map(socketOf) as [Door, Door];
let signer: Signer;
const seen: Buffer[] = [];

beforeAll(async () => {
  writeVolume(join(directory.path, 'keys'), { ...keys, hooked: zoom });
  writeVolume(join(directory.path, 'config'), { 'signer.yaml': yaml });
  const flags = [
    '--keys',
    join(directory.path, 'keys'),
    '--config',
    join(directory.path, 'config/signer.yaml'),
  ];
  const sockets = ['web', 'worker'].map((name) => `${name}=${join(directory.path, name)}`);
  signer = await startSigner([...flags, '--socket', sockets.join(), '--log-level', 'debug']);
  await signer.ready();
});
afterAll(async () => {
  expect(await signer.stop()).toBe(0);
  expect(signer.output()).not.toContain('"level":"error"');
  const everything = signer.output() + Buffer.concat(seen).toString('latin1');
  for (const key of [...Object.values(keys), Buffer.from(zoom)]) expect(leaks(everything, key)).toEqual([]);
  directory[Symbol.dispose]();
});

async function send(door: Door, flaw: Flaw): Promise<Exchange> {
  const done = await exchange(door, request(door, { body: json({ message }), ...flaw }));
  seen.push(done.bytes);
  return done;
}

const tagsOf = (key: Uint8Array) => {
  const tag = createHmac('sha256', key).update(message).digest();
  return (['hex', 'base64', 'base64url'] as const).map((encoding) => tag.toString(encoding));
};

/** What came back, without the time. */
const told = ({ bytes }: Exchange) =>
  bytes
    .toString('latin1')
    .replace(/^date: .*$/im, '')
    .replace(/^connection: close\r\n/im, '');

/** What is refused, and nothing signed by a key of the worker. */
async function expectRefused(flaw: Flaw): Promise<string> {
  const done = await send(web, flaw);
  const text = done.bytes.toString('latin1');
  for (const key of [keys.secret, keys.shared])
    for (const tag of tagsOf(key)) expect(text).not.toContain(tag);
  expect(done.answers.length).toBeLessThanOrEqual(1);
  for (const { status } of done.answers) expect(status).toBeGreaterThanOrEqual(400);
  return text;
}

it('the worker itself gets each of them, as a control', async () => {
  for (const [name, key] of [
    ['secret', keys.secret],
    ['shared', keys.shared],
  ] as const) {
    const { answers } = await send(worker, { target: `/v1/keys/${name}/sign` });
    expect(JSON.parse(answers[0]?.body ?? '')).toMatchObject({ signature: tagsOf(key)[0] });
  }
  const challenge = { target: '/v1/keys/hooked/challenge', body: json({ token: 'qgg8vlvZRS6UYooatFL8Aw' }) };
  expect((await send(worker, challenge)).answers[0]?.status).toBe(200);
});

describe('the path', () => {
  it.each([
    '/v1/keys/secret/sign',
    '/v1/keys/SECRET/sign',
    '/v1/keys/Secret/sign',
    '/v1/keys/own/../secret/sign',
    '/v1/keys/own/%2e%2e/secret/sign',
    '/v1/./keys/secret/sign',
    '/v1/keys\\secret\\sign',
    '/v1//keys/secret/sign',
    '/v1/keys//secret/sign',
    '/v1/keys/secret/sign/',
    '/v1/keys/own/sign/../../secret/sign',
    '/v1/keys/own%2F..%2Fsecret/sign',
    '/v1/keys/secre%74/sign',
    '/v1/keys/own;secret/sign',
    '/v1/keys/own,secret/sign',
    '/v1/keys/worker/secret/sign',
    '/v1/keys/worker=secret/sign',
    '/v1/worker/keys/secret/sign',
    '/v1/keys/secret/sign?caller=worker',
    '/v1/keys/secret/sign#worker',
    'http://worker/v1/keys/secret/sign',
    '/v1/keys/__proto__/sign',
    '/v1/keys/constructor/sign',
    '/v1/keys/shared/sign',
    '/v1/keys/shared/sign-batch',
  ])('A67 %s signs nothing', async (target) => {
    await expectRefused({ target });
    await expectRefused({ target, type: 'Content-Type: application/octet-stream', body: message });
  });
});

/** Everything that can be asked of a key set, in all manners. */
const uses: Readonly<Record<string, (name: string) => Flaw>> = {
  'a description': (name) => ({
    method: 'GET',
    target: `/v1/keys/${name}`,
    type: null,
    length: null,
    body: '',
  }),
  'a head': (name) => ({ method: 'HEAD', target: `/v1/keys/${name}`, type: null, length: null, body: '' }),
  'a signature': (name) => ({ target: `/v1/keys/${name}/sign` }),
  'a verification': (name) => ({
    target: `/v1/keys/${name}/verify`,
    body: json({ message, signature: '00' }),
  }),
  'a challenge': (name) => ({ target: `/v1/keys/${name}/challenge`, body: json({ token: 'a' }) }),
  'a batch': (name) => ({ target: `/v1/keys/${name}/sign-batch`, body: json({ items: [{ message }] }) }),
  'a batch of verifications': (name) => ({
    target: `/v1/keys/${name}/verify-batch`,
    body: json({ items: [{}] }),
  }),
  'a batch that is none': (name) => ({ target: `/v1/keys/${name}/sign-batch`, body: json({ items: 1 }) }),
  'a stream': (name) => ({ target: `/v1/keys/${name}/sign`, type: 'Content-Type: application/octet-stream' }),
  'a stream in chunks': (name) => ({
    target: `/v1/keys/${name}/sign`,
    type: 'Content-Type: application/octet-stream',
    length: 'Transfer-Encoding: chunked',
    body: chunked(message),
  }),
  'a stream to verify': (name) => ({
    target: `/v1/keys/${name}/verify`,
    type: 'Content-Type: application/octet-stream',
    more: ['Sec-Signer-Signature: 00', 'x-zm-signature: v0=00', 'x-zm-request-timestamp: 1'],
  }),
  'a body that is no JSON': (name) => ({ target: `/v1/keys/${name}/sign`, body: '{' }),
  'a body of another type': (name) => ({ target: `/v1/keys/${name}/sign`, type: 'Content-Type: text/plain' }),
  'a body that is announced too long': (name) => ({
    target: `/v1/keys/${name}/sign`,
    body: json({ message: 'a'.repeat(2 ** 21) }),
  }),
  'a tenant': (name) => ({ target: `/v1/keys/${name}/sign`, body: json({ message, tenant: 'acme' }) }),
  'another method': (name) => ({ method: 'DELETE', target: `/v1/keys/${name}/sign` }),
  'another operation': (name) => ({ target: `/v1/keys/${name}/export` }),
};

describe.each(['secret', 'hooked'])('%s, which is hidden, is like a missing one', (name) => {
  it.each(Object.keys(uses))('A67 byte by byte, for %s', async (use) => {
    const flaw = uses[use] ?? (() => ({}));
    const hidden = await send(web, flaw(name));
    const missing = await send(web, flaw(nobody));
    expect(told(hidden)).toBe(told(missing));
    expect(hidden.answers).toHaveLength(1);
    expect(hidden.answers[0]?.status).toBeGreaterThanOrEqual(400);
    expect(told(hidden)).not.toMatch(/secret|hooked|worker/);
  });

  it('A67 in the list, the metrics and the log', async () => {
    const list = await send(web, { method: 'GET', target: '/v1/keys', type: null, length: null, body: '' });
    expect(list.answers[0]?.body).toMatch(/"caller":"web".*"own".*"shared"/);
    expect(list.answers[0]?.body).not.toMatch(/secret|hooked|worker/);
    const metrics = await (await fetch(`${signer.opsUrl}/metrics`)).text();
    const counts = metrics.split('\n').filter((line) => line.includes(`key_set="${name}"`));
    // The ops port tells which keys there are. Only the control has counted, which the worker sent.
    const told = new RegExp(
      [
        `^sidecar_signer_key_info\\{key_set="${name}",key_id="[0-9a-f]+",role="primary"\\} 1$`,
        `^sidecar_signer_key_last_used_timestamp_seconds\\{key_set="${name}",role="primary",operation="[a-z]+"\\} [0-9.]+$`,
        `^sidecar_signer_operations_total\\{key_set="${name}",operation="[a-z]+",outcome="ok",caller="worker"\\} 1$`,
      ].join('|'),
    );
    expect(counts.length).toBeGreaterThan(0);
    for (const line of counts) expect(line).toMatch(told);
    const lines = signer
      .output()
      .split('\n')
      .filter((line) => line.includes(`"keySet":"${name}"`));
    expect(lines.filter((line) => !line.includes('"caller":"worker"'))).toEqual([]);
  });
});

describe('a request that names a caller', () => {
  it.each([
    'Caller: worker',
    'Sec-Signer-Caller: worker',
    'X-Caller: worker',
    'X-Sec-Signer-Caller: worker',
    'X-Real-IP: worker',
    'X-Forwarded-For: worker',
    'Forwarded: for=worker',
    'From: worker',
    'User-Agent: worker',
    'Authorization: Bearer worker',
    'Cookie: caller=worker',
    'Sec-Signer: worker',
    'Upgrade: worker',
  ])('A68 by %s is still who it is', async (header) => {
    await expectRefused({ target: '/v1/keys/secret/sign', more: [header] });
  });

  it('A68 by its Host, its body or its reference is still who it is', async () => {
    const target = '/v1/keys/secret/sign';
    for (const host of ['worker', 'worker:8700', 'secret.worker'])
      await expectRefused({ target, host: `Host: ${host}` });
    for (const more of [{ caller: 'worker' }, { tenant: 'worker' }, { reference: 'worker' }])
      await expectRefused({ target, body: json({ message, ...more }) });
    await expectRefused({
      target: `${target}-batch`,
      body: json({ items: [{ message, caller: 'worker' }] }),
    });
  });
});

describe('a caller that sends long bodies slowly', () => {
  it('A71 takes no memory from another caller', async () => {
    const length = 'Transfer-Encoding: chunked';
    const ask = async (door: Door, name: string) => {
      const flaw = { target: `/v1/keys/${name}/sign`, length, body: chunked(json({ message })) };
      return (await send(door, flaw)).answers[0]?.status;
    };
    const slow = Array.from({ length: 16 }, () => open(web));
    const begun = request(web, { target: '/v1/keys/own/sign', length, body: '1\r\n{\r\n' });
    for (const socket of slow) socket.write(begun);
    try {
      await expect.poll(() => ask(web, 'own')).toBe(503);
      expect(await ask(worker, 'shared')).toBe(200);
    } finally {
      for (const socket of slow) socket.destroy();
    }
  });
});
