/**
 * A client that an ordinary generator makes from the OpenAPI document of a running signer: its types are those of each key
 * set, and with it a program signs and verifies.
 */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { page } from '../support/docs.ts';

const root = join(import.meta.dirname, '../..');
const clients = join(import.meta.dirname, 'clients');
const defaultUrl = 'http://127.0.0.1:8700';

let signer: ConfiguredSigner;
let folder: string;

beforeAll(async () => {
  const text = () => randomBytes(32).toString('hex');
  signer = await startConfigured(
    {
      orders: text(),
      hooks: text(),
      session: randomBytes(32),
      own: text(),
      zoom: text(),
      root: randomBytes(32),
    },
    {
      // The first two are those of the page.
      orders: { encoding: 'hex' },
      hooks: { encoding: 'text', format: 'github' },
      session: { format: 'jwt', jwt: { issuer: 'https://shop.example' } },
      own: {
        format: 'webhook',
        encoding: 'text',
        webhook: {
          signed: '{method}\n{timestamp}.{body}',
          headers: { 'X-Time': '{timestamp}', 'X-Signature': '{signature}' },
        },
      },
      zoom: { format: 'zoom', encoding: 'text', allow: ['challenge'] },
      tenants: { deriveFrom: 'root' },
    },
  );
  // Below the packages that the program imports.
  folder = mkdtempSync(join(clients, 'generated-'));
  const document = await fetch(`${signer.signer.opsUrl}/openapi.json`);
  writeFileSync(join(folder, 'openapi.json'), await document.text());
  const generator = join(clients, 'node_modules/openapi-typescript/bin/cli.js');
  succeed(run(process.execPath, generator, 'openapi.json', '--output', 'signer-api.d.ts'));
  const compilerOptions = {
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    skipLibCheck: false,
  };
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] };
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await signer[Symbol.asyncDispose]();
});

function run(command: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd: folder, encoding: 'utf8' });
}

function succeed({ status, stdout, stderr }: SpawnSyncReturns<string>): string {
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
  return stdout;
}

/** Checks the types of a program, and runs it. */
function compileAndRun(name: string, program: string): string {
  writeFileSync(join(folder, name), program.replaceAll(defaultUrl, signer.signer.url));
  succeed(run(join(root, 'node_modules/.bin/tsc'), '--project', '.'));
  return succeed(run(process.execPath, name));
}

const beginning = `import createClient from 'openapi-fetch';
import type { paths } from './signer-api.d.ts';

const signer = createClient<paths>({ baseUrl: '${defaultUrl}' });
const params = { header: { 'Sec-Signer': '1' } } as const;
`;

it('signs and verifies with raw, jwt, webhooks and tenants', () => {
  const printed = compileAndRun(
    'use.ts',
    `${beginning}
const raw = await signer.POST('/v1/keys/orders/sign', { params, body: { message: 'hello', output: 'base64' } });
const signature: string = raw.data?.signature ?? '';
const wrong = await signer.POST('/v1/keys/orders/verify', { params, body: { message: 'hullo', signature, output: 'base64' } });
const right = await signer.POST('/v1/keys/orders/verify', { params, body: { message: 'hello', signature, output: 'base64' } });
console.log('raw', right.data?.valid, wrong.data?.valid === false && wrong.data.reason);

const issued = await signer.POST('/v1/keys/session/sign', { params, body: { claims: { sub: 'me' }, lifetimeSeconds: 60 } });
const checked = await signer.POST('/v1/keys/session/verify', { params, body: { token: issued.data?.token ?? '' } });
console.log('jwt', checked.data?.valid && checked.data.claims['iss']);

const github = await signer.POST('/v1/keys/hooks/sign', { params, body: { body: '{}' } });
const received = await signer.POST('/v1/keys/hooks/verify', { params, body: { body: '{}', headers: github.data?.headers ?? {} } });
console.log('github', received.data?.valid);

const target = { body: 'm', method: 'POST' };
const own = await signer.POST('/v1/keys/own/sign', { params, body: target });
const proven = await signer.POST('/v1/keys/own/verify', { params, body: { ...target, headers: own.data?.headers ?? {} } });
console.log('webhook', proven.data?.valid && /^[0-9]+$/.test(proven.data.timestamp));

const challenge = await signer.POST('/v1/keys/zoom/challenge', { params, body: { token: 'qgg8vlvZRS6UYooatFL8Aw' } });
console.log('challenge', challenge.data?.response.length);

const tenant = await signer.POST('/v1/keys/tenants/sign', { params, body: { message: 'm', tenant: 'acme' } });
console.log('tenant', tenant.data?.algorithm);

const batch = await signer.POST('/v1/keys/orders/sign-batch', {
  params,
  body: { items: [{ message: 'a', reference: 'r' }, { message: 'zz', encoding: 'hex' }] },
});
for (const result of batch.data?.results ?? []) {
  console.log('batch', 'error' in result ? result.error.code : result.keyId.length, result.reference);
}

const refused = await signer.POST('/v1/keys/orders/sign', { params, body: { message: '\\0' } });
console.log('refused', refused.response.status, refused.error?.code);

const message = await signer.POST('/v1/keys/orders/sign', {
  params,
  headers: { 'Content-Type': 'application/octet-stream' },
  body: 'hello',
  bodySerializer: (body) => body,
});
console.log('message', message.data?.algorithm);

const listed = await signer.GET('/v1/keys', { params });
console.log('list', listed.data?.caller, listed.data?.keys.map(({ name }) => name).join());
`,
  );
  expect(printed.trim().split('\n')).toEqual([
    'raw true mismatch',
    'jwt https://shop.example',
    'github true',
    'webhook true',
    'challenge 64',
    'tenant HS256',
    'batch 16 r',
    'batch malformed_request undefined',
    'refused 400 malformed_request',
    'message HS256',
    'list tcp hooks,orders,own,session,tenants,zoom',
  ]);
});

it('has types that refuse what the key sets do not take, and what they do not answer', () => {
  const content = "['post']['requestBody']['content']['application/json']";
  const mistakes: Readonly<Record<string, string>> = {
    'a key set that is not there': "signer.POST('/v1/keys/missing/sign', { params, body: { message: 'm' } })",
    'an operation that is not allowed':
      "signer.POST('/v1/keys/zoom/verify', { params, body: { body: '', headers: {} } })",
    'a request of another format': "signer.POST('/v1/keys/session/sign', { params, body: { message: 'm' } })",
    'a member that is missing': "signer.POST('/v1/keys/own/sign', { params, body: { body: 'm' } })",
    'a tenant that is missing': "signer.POST('/v1/keys/tenants/sign', { params, body: { message: 'm' } })",
    'a member too many': `({ body: 'm', id: 'msg' }) satisfies paths['/v1/keys/hooks/sign']${content}`,
    'the header that is missing': "signer.POST('/v1/keys/orders/sign', { body: { message: 'm' } })",
    'an answer of another format':
      "(await signer.POST('/v1/keys/session/sign', { params, body: { claims: {} } })).data?.signature",
  };
  const lines = Object.values(mistakes).map((expression) => `console.log(${expression});`);
  writeFileSync(join(folder, 'use.ts'), `${beginning}${lines.join('\n')}\n`);
  const { stdout } = run(join(root, 'node_modules/.bin/tsc'), '--project', '.');
  const first = beginning.split('\n').length;
  const found = [...stdout.matchAll(/^use\.ts\((\d+),/gm)].map(([, line]) => Number(line) - first);
  expect([...new Set(found)]).toEqual(Object.keys(mistakes).map((_, index) => index));
});

it('runs the program of the documentation', () => {
  const [block] = page('docs/http-api.md').blocksUnder('Generate a client', 'ts');
  expect(compileAndRun('use.ts', block?.code ?? '')).toBe('true\n');
});
