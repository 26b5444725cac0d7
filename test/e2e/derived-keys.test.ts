/** Key sets with derived keys in the compiled binary: one request, batches, descriptions, and a root that is rotated. */

import { hkdfSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { tagOf } from '../support/keys.ts';
import { leaks } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const first = randomBytes(32);
const second = randomBytes(32);
const hook = randomBytes(32);
const plain = randomBytes(32);
const yaml = `keys:
  raw: { deriveFrom: root }
  hooks: { deriveFrom: hook, format: github, tenants: [acme, globex], allow: [sign] }
  plain: {}
`;
const derived = (root: Buffer, format: string, tenant: string) => {
  const info = `sidecar-signer/v1\0${format}\0${tenant}`;
  return Buffer.from(hkdfSync('sha256', root, 'sidecar-signer', info, 32));
};
const rawTag = (root: Buffer, tenant: string, message: string) =>
  tagOf('HS256', derived(root, 'raw', tenant), message).toString('hex');
const hookTag = (tenant: string, body: string) =>
  `sha256=${tagOf('HS256', derived(hook, 'github', tenant).toString('hex'), body).toString('hex')}`;

const directory = temporaryDirectory();
const keys = join(directory.path, 'keys');
let signer: Signer;
let client: SignerClient;

beforeAll(async () => {
  writeVolume(keys, { root: first, hook, plain });
  writeVolume(join(directory.path, 'config'), { 'signer.yaml': yaml });
  signer = await startSigner(['--keys', keys, '--config', join(directory.path, 'config/signer.yaml')]);
  await signer.ready();
  client = new SignerClient({ url: signer.url });
});
afterAll(async () => {
  for (const secret of [first, second, hook, derived(first, 'raw', 'acme')]) {
    expect(leaks(signer.output(), secret)).toEqual([]);
  }
  expect(await signer.stop()).toBe(0);
  directory[Symbol.dispose]();
});

const refusal = async (path: string, body: object) => {
  const response = await signer.call(path, body);
  const { code, detail } = (await response.json()) as { code: string; detail: string };
  return { status: response.status, code, detail };
};

describe('a request for a tenant', () => {
  it('is signed and verified with the key of that tenant alone', async () => {
    const raw = client.keySet('raw', 'raw');
    const signed = await raw.sign({ message: 'm', tenant: 'acme' });
    expect(signed.signature).toBe(rawTag(first, 'acme', 'm'));
    const { signature, keyId } = signed;
    expect(await raw.verify({ message: 'm', signature, tenant: 'acme' })).toEqual({
      valid: true,
      keyId,
      primary: true,
    });
    expect(await raw.verify({ message: 'm', signature, tenant: 'acme2' })).toMatchObject({ valid: false });
  });

  it('may stand beside others in a batch, each of which fails alone', async () => {
    const hooks = client.keySet('hooks', 'github');
    const results = await hooks.signBatch([
      { body: 'b', tenant: 'acme', reference: '1' },
      { body: 'b', tenant: 'globex', reference: '2' },
      { body: 'b', tenant: 'initech', reference: '3' },
      { body: 'b', reference: '4' },
      { body: 'b', tenant: 'a/b', reference: '5' },
    ]);
    expect(results).toMatchObject([
      { headers: { 'X-Hub-Signature-256': hookTag('acme', 'b') }, reference: '1' },
      { headers: { 'X-Hub-Signature-256': hookTag('globex', 'b') }, reference: '2' },
      { error: { code: 'unknown_key', status: 404 }, reference: '3' },
      { error: { code: 'malformed_request', status: 400 }, reference: '4' },
      { error: { code: 'malformed_request', status: 400 }, reference: '5' },
    ]);
    const verdicts = await client.keySet('raw', 'raw').verifyBatch([
      { message: 'm', signature: rawTag(first, 'a', 'm'), tenant: 'a', reference: 'own' },
      { message: 'm', signature: rawTag(first, 'a', 'm'), tenant: 'b', reference: 'foreign' },
    ]);
    expect(verdicts).toMatchObject([
      { valid: true, reference: 'own' },
      { valid: false, reason: 'mismatch', reference: 'foreign' },
    ]);
  });

  it('is refused with a problem document where the tenant is missing, malformed or unknown', async () => {
    const cases = [
      await refusal('/v1/keys/hooks/sign', { body: 'b' }),
      await refusal('/v1/keys/hooks/sign', { body: 'b', tenant: 'a b' }),
      await refusal('/v1/keys/hooks/sign', { body: 'b', tenant: 'initech' }),
      await refusal('/v1/keys/plain/sign', { message: 'm', tenant: 'acme' }),
      await refusal('/v1/keys/hooks/verify', { body: 'b', tenant: 'acme', headers: {} }),
    ];
    expect(cases).toMatchObject([
      {
        status: 400,
        code: 'malformed_request',
        detail: expect.stringContaining('field "tenant": must name'),
      },
      { status: 400, code: 'malformed_request', detail: expect.stringContaining('not a usable name') },
      { status: 404, code: 'unknown_key', detail: expect.stringContaining('(tenants)') },
      { status: 400, code: 'malformed_request', detail: expect.stringContaining('unknown field') },
      { status: 403, code: 'operation_not_allowed' },
    ]);
    expect(JSON.stringify(cases)).not.toContain('initech');
  });

  it('cannot be a message that is the body itself', async () => {
    for (const [operation, signature] of [
      ['sign', ''],
      ['verify', rawTag(first, 'acme', 'm')],
    ] as const) {
      const headers = { 'content-type': 'application/octet-stream', 'sec-signer-signature': signature };
      const response = await signer.call(`/v1/keys/raw/${operation}`, undefined, {
        method: 'POST',
        headers,
        body: 'm',
      });
      expect(response.status).toBe(415);
      expect(await response.json()).toMatchObject({
        code: 'unsupported_media_type',
        detail: 'a key set with derived keys takes application/json, in which the request names its tenant',
      });
    }
  });
});

describe('the description of a key set with derived keys', () => {
  it('says so, with the ids of its roots, and names no tenant', async () => {
    const descriptions = await client.keySets();
    expect(descriptions.map(({ name, derived }) => [name, derived])).toEqual([
      ['hooks', true],
      ['plain', undefined],
      ['raw', true],
    ]);
    const hooks = await client.keySet('hooks', 'github').describe();
    const rootId = tagOf('HS256', hook, 'sidecar-signer key id').toString('hex', 0, 8);
    expect(hooks).toMatchObject({ format: 'github', keyIds: [rootId], primary: rootId, allow: ['sign'] });
    expect(JSON.stringify(descriptions)).not.toMatch(/acme|globex|export/i);
  });
});

it('a root that is replaced gives new keys at once, while those of the old one verify', async () => {
  const raw = client.keySet('raw', 'raw');
  writeVolume(keys, { root: second, hook, plain });
  await waitFor(async () => {
    const { signature } = await raw.sign({ message: 'm', tenant: 'acme' });
    return signature === rawTag(second, 'acme', 'm') ? true : undefined;
  });
  const verdictOf = (root: Buffer, tenant: string) =>
    raw.verify({ message: 'm', signature: rawTag(root, tenant, 'm'), tenant });
  expect(await verdictOf(second, 'acme')).toMatchObject({ valid: true, primary: true });
  // One whose key nobody has asked for before the rotation, too.
  for (const tenant of ['acme', 'late']) {
    expect(await verdictOf(first, tenant)).toMatchObject({ valid: true, primary: false });
  }
});
