/** Requests that are well formed, and ask for what the policy of the key set does not allow in a way that another program reads. */

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { leaks } from '../support/leaks.ts';

const secrets = { token: randomBytes(32), unbound: randomBytes(32), bucket: randomBytes(32) };
const host = 'https://shared.s3.eu-central-1.amazonaws.com';
let running: ConfiguredSigner;

beforeAll(async () => {
  running = await startConfigured(secrets, {
    token: {
      format: 'jwt',
      jwt: {
        issuer: 'https://shop',
        audience: 'api',
        fixedClaims: { role: 'user', org_id: 7, realm_access: { roles: ['user'] } },
        requiredClaims: ['scope'],
      },
    },
    unbound: { format: 'jwt' },
    bucket: {
      format: 'aws-sigv4',
      'aws-sigv4': {
        accessKeyId: 'AKIDEXAMPLE',
        services: ['s3'],
        regions: ['eu-central-1'],
        hosts: ['shared.s3.eu-central-1.amazonaws.com'],
        methods: ['PUT'],
        allowUnsignedPayload: true,
      },
    },
  });
});
afterAll(async () => {
  const { signer } = running;
  expect(signer.process.exitCode, 'the process lives').toBeNull();
  expect(signer.output()).not.toContain('"level":"error"');
  for (const secret of Object.values(secrets)) expect(leaks(signer.output(), secret)).toEqual([]);
  await running[Symbol.asyncDispose]();
});

/** The body is a text, which can repeat members and choose their order. */
async function sign(keySet: string, body: string) {
  const response = await running.signer.call(`/v1/keys/${keySet}/sign`, undefined, { method: 'POST', body });
  return { status: response.status, text: await response.text() };
}

/** Go's encoding/json: members in order, each into the field whose name is equal under simple case folding. */
function readWithoutCase(token: string): Record<string, unknown> {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(JSON.parse(payload))) {
    const field = ['iss', 'aud', 'role'].find((each) => new RegExp(`^${each}$`, 'iu').test(name)) ?? name;
    fields[field] = value;
  }
  return fields;
}

const claimed = '"iss":"https://shop","aud":"api","role":"user","org_id":7,"scope":"a"';

it.each([
  '"ISS":"https://idp","Aud":"admin-api","rolE":"admin"',
  '"i\u017fs":"https://idp"',
  '"i\\u017f\\u017f":"https://idp"',
  '"\\u0131ss":"https://idp"',
  '"\\u0130ss":"https://idp"',
  '"\uff49\uff53\uff53":"https://idp"',
  '"is\\u200bs":"https://idp"',
  '"EXP":9999999999',
  '"Iat":1',
  '"NBF":1',
  '"\u017fub":"admin"',
  '"JTI":"x"',
  '"Role":"admin"',
  '"ro\\u00adle":"admin"',
  '"orgId":1',
  '"OrgID":1',
  '"Scope":null',
  '"iss\\u0001":"https://idp"',
  '"i\u20d2ss":"https://idp"',
  '"iss ":"https://idp"',
  '"role.x":"admin"',
  '"realm_access.roles":["admin"]',
  '"roles":["admin"]',
])('A63 a claim that some receivers take for another one is refused: %s', async (claim) => {
  for (const claims of [`${claimed},${claim}`, `${claim},${claimed}`]) {
    const { status, text } = await sign('token', `{"claims":{${claims}}}`);
    expect(status).toBe(422);
    expect(JSON.parse(text)).toMatchObject({ code: 'unprocessable' });
    expect(text).not.toMatch(/idp|admin|eyJ/);
  }
});

it.each(['ISS', 'Aud', 'i\u017fs', 'EXP', 'nBf', 'SUB', 'Jti'])(
  'A63 %s is refused, too, where nothing is configured',
  async (name) => {
    expect(await sign('unbound', JSON.stringify({ claims: { [name]: 'x' } }))).toMatchObject({ status: 422 });
  },
);

it('A63 the claims of the signer stand last, and a receiver that ignores case reads them', async () => {
  const body = `{"claims":{"iss":"https://idp","iss":"https://shop",${claimed}}}`;
  const { status, text } = await sign('token', body);
  expect(status).toBe(200);
  const { token } = JSON.parse(text);
  expect(readWithoutCase(token)).toMatchObject({ iss: 'https://shop', aud: 'api', role: 'user' });
  const payload = Buffer.from(token.split('.')[1], 'base64url').toString();
  expect(payload).toMatch(
    /^\{"scope":"a","role":"user","org_id":7,"realm_access":\{"roles":\["user"\]\},"iss":"https:\/\/shop","aud":"api","iat":\d+,"exp":\d+\}$/,
  );
});

const copies = [
  'x-amz-copy-source',
  'X-AMZ-Copy-Source',
  'x_amz_copy_source',
  'x-amz-copy-source-range',
  'x-amz-rename-source',
  'X-Amz-Rename-Source-If-Match',
  'x-goog-copy-source',
  'x-amz-meta-minio-snowball-prefix',
  'x-oss-symlink-target',
  'compose',
];
it.each(copies)(
  'A64 %s, which names an object elsewhere, is refused as header and as parameter',
  async (name) => {
    const source = '/private-bucket/secret.txt';
    const encoded = [...name].map((each) => (each === '-' ? '%2d' : each)).join('');
    const changes = [
      { headers: { [name]: source } },
      { headers: { [name]: [source, '/shared/a'] } },
      ...[name, encoded, `a=b;${name}`].map((parameter) => ({
        url: `${host}/out?${parameter}=%2Fprivate-bucket%2Fsecret.txt`,
      })),
    ];
    for (const change of changes) {
      for (const more of [{}, { unsignedPayload: true, presign: { expiresSeconds: 60 } }]) {
        const body = JSON.stringify({ method: 'PUT', url: `${host}/out`, ...change, ...more });
        const { status, text } = await sign('bucket', body);
        expect(status).toBe(403);
        expect(JSON.parse(text)).toMatchObject({ code: 'operation_not_allowed' });
        expect(text).toContain('allowCopy');
        expect(text).not.toContain('private-bucket');
      }
    }
  },
);

it.each(['..;/private', '..%3b/private', '%252e%252e/private', '..%00/private', '..%09/private'])(
  'A64 a dot segment that a server could find leaves no bucket: %s',
  async (rest) => {
    const { status, text } = await sign(
      'bucket',
      JSON.stringify({ method: 'PUT', url: `${host}/out/${rest}` }),
    );
    expect(status).toBe(403);
    expect(text).toContain('hosts');
    expect(text).not.toContain('private');
  },
);

it.each(['{"scope":null}', '{}', '{"scope":"a","scope":null}'])(
  'A65 claims without a value for a required one are refused: %s',
  async (claims) => {
    const { status, text } = await sign('token', `{"claims":${claims}}`);
    expect(status).toBe(422);
    expect(JSON.parse(text).detail).toContain('scope is required');
  },
);
