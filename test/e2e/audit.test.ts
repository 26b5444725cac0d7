/** The audit of the compiled binary: a line for each operation, written before its answer leaves. */

import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AuditLine,
  auditIn,
  createPlace,
  fingerprintOf,
  linesIn,
  type Place,
} from '../support/audit.ts';
import { run } from '../support/command.ts';
import { type Signer, waitFor } from '../support/signer.ts';

const aws = {
  accessKeyId: 'AKIDEXAMPLE',
  services: ['s3'],
  regions: ['eu-central-1'],
  pathPrefixes: ['/public/', '/invoices/'],
  maxPostBytes: 1000,
};
const keySets = {
  raw: { output: 'base64' },
  session: { format: 'jwt', jwt: { audience: 'api' } },
  cookie: { format: 'cookie' },
  hooks: { format: 'standard-webhooks', 'standard-webhooks': { signWith: 'all' } },
  github: { format: 'github' },
  request: { format: 'http-signature' },
  store: { format: 'aws-sigv4', 'aws-sigv4': aws },
  links: { format: 'signed-url', 'signed-url': { pathPrefixes: ['/files/'] } },
  x: { format: 'x', allow: ['challenge'] },
  derived: { deriveFrom: 'root', tenants: ['acme'] },
  'sign-only': { allow: ['sign'] },
};
const keys = Object.fromEntries([...Object.keys(keySets), 'root'].map((name) => [name, randomBytes(64)]));
let place: Place;

beforeAll(() => {
  place = createPlace(keys, keySets);
});
afterAll(() => place[Symbol.dispose]());

async function post(signer: Signer, path: string, body: object, headers = {}) {
  const response = await signer.call(`/v1/keys/${path}`, body, { headers });
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into answers of every kind
  const answer: any = await response.json();
  return { status: response.status, headers: response.headers, body: answer };
}

/** The lines of one test, and what they were for. */
function follow(file: string) {
  let seen = 0;
  return () => {
    const lines = auditIn(file);
    const added = lines.slice(seen);
    seen = lines.length;
    return added;
  };
}

describe('an operation', () => {
  let signer: Signer;
  let added: () => readonly AuditLine[];
  beforeAll(async () => {
    signer = await place.start();
    added = follow(place.file);
  });
  afterAll(() => signer.stop());

  const signatureIn = (text: string, mark: RegExp) => mark.exec(text)?.[1] ?? '';
  const ofToken = ({ token }: { token: string }) => token.split('.')[2] ?? '';

  it('has a line with fields in a fixed order, chained to the line before', async () => {
    const { body } = await post(signer, 'raw/sign', { message: 'hello' });
    const [line] = added();
    expect(Object.keys(line ?? {})).toEqual([
      ...['audit', 'time', 'seq', 'instance', 'caller', 'keySet', 'keyId', 'format', 'operation', 'outcome'],
      ...['about', 'signature', 'prev'],
    ]);
    expect(line).toMatchObject({
      ...{ seq: 1, caller: 'tcp', keySet: 'raw', format: 'raw', operation: 'sign', outcome: 'ok' },
      ...{
        keyId: body.keyId,
        about: { bytes: 5 },
        signature: fingerprintOf(body.signature),
        prev: '0'.repeat(64),
      },
    });
    expect(Math.abs(Date.parse(line?.time ?? '') - Date.now())).toBeLessThan(5000);
    await post(signer, 'raw/sign', { message: 'again' });
    const [first = ''] = readFileSync(place.file, 'utf8').split('\n');
    expect(added()).toMatchObject([{ seq: 2, prev: createHash('sha256').update(first).digest('hex') }]);
  });

  it.each<
    [name: string, sign: object, told: object, tag: (body: never) => string, verify: (body: never) => object]
  >([
    [
      'session',
      { claims: { sub: 'ann', jti: 'id-1', role: 'admin' } },
      { sub: 'ann', jti: 'id-1', aud: 'api', exp: expect.any(Number), bytes: expect.any(Number) },
      ofToken,
      ({ token }: { token: string }) => ({ token }),
    ],
    [
      'cookie',
      { value: 'user.7' },
      { bytes: 6 },
      ({ cookie }: { cookie: string }) => signatureIn(cookie, /\.([^.]*)$/),
      ({ cookie }: { cookie: string }) => ({ cookie }),
    ],
    [
      'hooks',
      { body: '{}', id: 'msg_1' },
      { bytes: 2, id: 'msg_1', time: expect.stringMatching(/^\d{10}$/) },
      ({ headers }: { headers: Record<string, string> }) =>
        signatureIn(headers['webhook-signature'] ?? '', /^v1,([^ ]+)/),
      // A signature that somebody put in front is not the one that is found.
      ({ headers }: { headers: Record<string, string> }) => ({
        body: '{}',
        headers: {
          ...headers,
          'webhook-signature': `v1,${'A'.repeat(43)}= ${headers['webhook-signature']}`,
        },
      }),
    ],
    [
      'github',
      { body: 'é' },
      { bytes: 2 },
      ({ headers }: { headers: Record<string, string> }) =>
        signatureIn(headers['X-Hub-Signature-256'] ?? '', /=(.*)$/),
      ({ headers }: { headers: object }) => ({ body: 'é', headers }),
    ],
    [
      'request',
      { method: 'POST', url: 'https://api.example/orders/7?token=abc', body: 'b' },
      {
        ...{ bytes: 1, method: 'POST', host: 'api.example' },
        covers: ['@method', '@authority', '@path', '@query', 'content-digest'],
      },
      ({ headers }: { headers: Record<string, string> }) =>
        signatureIn(headers['Signature'] ?? '', /=:(.*):$/),
      ({ headers }: { headers: object }) => ({
        ...{ method: 'POST', url: 'https://api.example/orders/7?token=abc', body: 'b', headers },
      }),
    ],
    [
      'store',
      {
        method: 'GET',
        url: 'https://b.s3.eu-central-1.amazonaws.com/invoices/7',
        presign: { expiresSeconds: 60 },
      },
      {
        ...{ bytes: 0, method: 'GET', host: 'b.s3.eu-central-1.amazonaws.com', pathPrefix: '/invoices/' },
        expires: expect.any(Number),
      },
      ({ url }: { url: string }) => signatureIn(url, /X-Amz-Signature=(.*)$/),
      ({ url }: { url: string }) => ({ method: 'GET', url }),
    ],
    [
      'links',
      { url: 'https://files.example/files/ann.pdf?a=1' },
      {
        bytes: expect.any(Number),
        host: 'files.example',
        pathPrefix: '/files/',
        expires: expect.any(Number),
      },
      ({ url }: { url: string }) => signatureIn(url, /signature=(.*)$/),
      ({ url }: { url: string }) => ({ url }),
    ],
  ])('of %s tells what the format may tell, and no more', async (name, sign, told, tag, verify) => {
    const signed = await post(signer, `${name}/sign`, sign);
    expect(signed.status).toBe(200);
    const verified = await post(signer, `${name}/verify`, verify(signed.body as never));
    expect(verified.body).toMatchObject({ valid: true });
    const signature = fingerprintOf(tag(signed.body as never));
    const { keyId } = signed.body;
    const lines = added();
    expect(lines).toMatchObject([
      { keySet: name, keyId, operation: 'sign', outcome: 'ok', signature },
      { keySet: name, keyId, operation: 'verify', outcome: 'ok', signature },
    ]);
    expect(lines[0]?.about).toEqual(told);
    const { bytes: _, ...more } = told as { bytes?: unknown };
    expect(lines[1]?.about).toMatchObject(more);
    const found = await run(['audit', 'find', '--json', place.file, '-'], {
      input: JSON.stringify(signed.body),
    });
    expect(JSON.parse(found.stdout)).toMatchObject({ count: 2, matches: lines.map((event) => ({ event })) });
  });

  it('of a presigned POST tells the bucket, and of a challenge the key', async () => {
    const post1 = { post: { bucket: 'bucket', keyPrefix: 'public/ann/', maxBytes: 9 } };
    const { body } = await post(signer, 'store/sign', post1);
    expect(added()).toMatchObject([
      {
        about: { method: 'POST', bucket: 'bucket', pathPrefix: '/public/', expires: expect.any(Number) },
        signature: fingerprintOf(body.fields['X-Amz-Signature']),
      },
    ]);
    const challenged = await post(signer, 'x/challenge', { token: 'abcdefghij' });
    expect(challenged.status).toBe(200);
    expect(added()).toMatchObject([
      {
        ...{ keySet: 'x', operation: 'challenge', keyId: expect.any(String), about: { bytes: 10 } },
        signature: fingerprintOf(signatureIn(challenged.body.response, /=(.*)$/)),
      },
    ]);
  });

  it('that is a message alone has one too', async () => {
    const headers = { 'content-type': 'application/octet-stream' };
    const body = randomBytes(300_000);
    const signed = await signer.call('/v1/keys/raw/sign', undefined, { method: 'POST', headers, body });
    const { signature } = (await signed.json()) as { signature: string };
    await signer.call('/v1/keys/raw/verify', undefined, {
      method: 'POST',
      headers: { ...headers, 'sec-signer-signature': signature },
      body,
    });
    expect(added()).toMatchObject([
      { about: { bytes: 300_000 }, signature: fingerprintOf(signature) },
      { operation: 'verify', outcome: 'ok', about: { bytes: 300_000 }, signature: fingerprintOf(signature) },
    ]);
  });

  it('of a tenant, in a batch, has a line of its own with its reference', async () => {
    const items = [
      { message: 'a', tenant: 'acme', reference: '1' },
      { message: 'b', tenant: 'other', reference: '2' },
      { message: 'c', reference: '\n{"audit":1,"seq":9}' },
      7,
    ];
    await post(signer, 'derived/sign-batch', { items });
    const lines = added();
    expect(lines).toMatchObject([
      { outcome: 'ok', tenant: 'acme', reference: '1', about: { bytes: 1 } },
      { outcome: 'unknown_key', tenant: 'other', reference: '2' },
      { outcome: 'malformed_request', reference: '\n{"audit":1,"seq":9}' },
      { outcome: 'malformed_request' },
    ]);
    for (const { keySet, caller } of lines) expect([keySet, caller]).toEqual(['derived', 'tcp']);
  });

  it('that fails has no more than its length', async () => {
    await post(signer, 'raw/verify', { message: 'hello', signature: 'secret in the wrong place' });
    await post(signer, 'session/verify', { token: 'secret.in.it' });
    await post(signer, 'sign-only/verify', { message: 'm', signature: 's' });
    await post(signer, 'raw/sign', { message: 1 });
    await post(signer, 'secret-name/sign', { message: 'm' });
    const lines = added();
    expect(lines.map(({ audit, time, seq, instance, prev, ...rest }) => rest)).toEqual([
      {
        caller: 'tcp',
        keySet: 'raw',
        format: 'raw',
        operation: 'verify',
        outcome: 'invalid',
        about: { bytes: 5 },
      },
      {
        caller: 'tcp',
        keySet: 'session',
        format: 'jwt',
        operation: 'verify',
        outcome: 'invalid',
        about: { bytes: 12 },
      },
      {
        caller: 'tcp',
        keySet: 'sign-only',
        format: 'raw',
        operation: 'verify',
        outcome: 'operation_not_allowed',
      },
      { caller: 'tcp', keySet: 'raw', format: 'raw', operation: 'sign', outcome: 'malformed_request' },
      { caller: 'tcp', operation: 'sign', outcome: 'unknown_key' },
    ]);
  });

  it('that the guard refuses, and a question about the keys, have none', async () => {
    await fetch(`${signer.url}/v1/keys/raw/sign`, { method: 'POST', body: '{"message":"m"}' });
    await signer.call('/v1/keys');
    expect(added()).toEqual([]);
  });

  it('of a caller who has gone is recorded', async () => {
    const gone = request(`${signer.url}/v1/keys/raw/sign`, {
      method: 'POST',
      headers: { 'sec-signer': '1', 'content-type': 'application/json' },
    });
    gone.on('error', () => undefined);
    gone.end('{"message":"gone, gone"}', () => gone.destroy());
    expect(await waitFor(() => added().find(({ about }) => about?.['bytes'] === 10))).toMatchObject({
      outcome: 'ok',
    });
  });

  it('leaves a chain that is whole, and a file for its owner and group', async () => {
    expect(await run(['audit', 'verify', place.file])).toMatchObject({ code: 0, stderr: '' });
    expect((statSync(place.file).mode & 0o777).toString(8)).toBe('640');
    const status = (await (await fetch(`${signer.opsUrl}/status`)).json()) as { audit: object };
    const { seq = 0 } = auditIn(place.file).at(-1) ?? {};
    expect(status.audit).toMatchObject({
      file: place.file,
      onFailure: 'refuse',
      problem: null,
      failures: 0,
      head: { seq },
    });
    expect(await (await fetch(`${signer.opsUrl}/metrics`)).text()).toMatch(
      new RegExp(`^sidecar_signer_audit_up 1\\n[^]*^sidecar_signer_audit_head_seq ${seq}$`, 'm'),
    );
  });
});

describe('refusals', () => {
  it('have ten lines a second for each caller and outcome, and then one with their number', async () => {
    using own = createPlace(keys, keySets);
    await using signer = await own.start();
    const asked = Array.from({ length: 100 }, () => post(signer, 'none/sign', {}));
    for (const { status } of await Promise.all(asked)) expect(status).toBe(404);
    const refusals = () => auditIn(own.file).filter(({ outcome }) => outcome === 'unknown_key');
    await waitFor(() => refusals().some(({ count }) => count !== undefined) || undefined);
    expect(refusals().filter(({ count }) => count === undefined).length).toBeLessThan(25);
    await signer.stop();
    expect(refusals().reduce((sum, { count = 1 }) => sum + count, 0)).toBe(100);
    expect((await run(['audit', 'verify', own.file])).code).toBe(0);
  });
});

describe('the file', () => {
  it('goes on at the next start, without a last line that was cut off', async () => {
    using own = createPlace(keys, keySets);
    const first = await own.start();
    await post(first, 'raw/sign', { message: 'one' });
    first.process.kill('SIGKILL');
    await first[Symbol.asyncDispose]();
    const whole = readFileSync(own.file, 'utf8');
    appendFileSync(own.file, whole.slice(0, 40));
    const cut = await run(['audit', 'verify', own.file]);
    expect(cut).toMatchObject({ code: 0, stdout: expect.stringContaining('is cut off') });
    await using second = await own.start();
    expect(second.output()).toContain('the last line of the audit was cut off and has been removed');
    await post(second, 'raw/sign', { message: 'two' });
    expect(readFileSync(own.file, 'utf8').startsWith(whole)).toBe(true);
    expect(auditIn(own.file).map(({ seq }) => seq)).toEqual([1, 2]);
    expect((await run(['audit', 'verify', own.file])).stdout).not.toContain('note');
  });

  it.each([
    ['after SIGHUP', true],
    ['by itself', false],
  ])('is opened anew %s when it was renamed', async (_, byHand) => {
    using own = createPlace(keys, keySets);
    await using signer = await own.start();
    await post(signer, 'raw/sign', { message: 'one' });
    const old = `${own.file}.1`;
    renameSync(own.file, old);
    if (byHand) signer.process.kill('SIGHUP');
    await waitFor(async () => {
      await post(signer, 'raw/sign', { message: 'two' });
      return signer.output().includes('audit file opened anew') || undefined;
    });
    const { stdout, code } = await run(['audit', 'verify', '--json', old, own.file]);
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { valid: true, chains: 1, first: 1 }]);
    expect((await run(['audit', 'verify', own.file])).code).toBe(0);
    expect(await run(['audit', 'verify', own.file, old])).toMatchObject({ code: 1 });
  });

  it('goes on when it was renamed and another file is in its place', async () => {
    using own = createPlace(keys, keySets);
    await using signer = await own.start();
    await post(signer, 'raw/sign', { message: 'one' });
    renameSync(own.file, `${own.file}.1`);
    writeFileSync(own.file, 'mine');
    signer.process.kill('SIGHUP');
    await waitFor(async () => {
      expect((await post(signer, 'raw/sign', { message: 'two' })).status).toBe(200);
      return signer.output().includes('the audit goes on in the file that was renamed') || undefined;
    });
    expect(readFileSync(own.file, 'utf8')).toBe('mine');
    expect((await run(['audit', 'verify', `${own.file}.1`])).code).toBe(0);
  });

  it('is not opened anew while something else is at its path, which is told once', async () => {
    using own = createPlace(keys, keySets);
    await using signer = await own.start();
    await post(signer, 'raw/sign', { message: 'one' });
    renameSync(own.file, `${own.file}.1`);
    const told = () => signer.output().split('the audit goes on in the file that was renamed').length - 1;
    const look = async () => {
      signer.process.kill('SIGHUP');
      await setTimeout(50);
      expect((await post(signer, 'raw/sign', { message: 'two' })).status).toBe(200);
    };
    symlinkSync('/dev/null', own.file);
    for (let count = 0; count < 3; count++) await look();
    await waitFor(() => told() === 1 || undefined);
    expect(signer.output()).toContain('what is at the path is not a file any more; remove it');
    rmSync(own.file);
    writeFileSync(own.file, 'mine');
    for (let count = 0; count < 3; count++) await look();
    await waitFor(() => told() === 2 || undefined);
    rmSync(own.file);
    await look();
    await waitFor(() => signer.output().includes('audit file opened anew') || undefined);
    expect((await run(['audit', 'verify', `${own.file}.1`, own.file])).code).toBe(0);
  });

  it('may be one that can only be appended to, unless its last line has to be removed', async ({ skip }) => {
    using own = createPlace(keys, keySets);
    writeFileSync(own.file, '');
    // Root alone may set the attribute, and not every file system has it.
    if (spawnSync('chattr', ['+a', own.file]).status !== 0) skip();
    try {
      const first = await own.start();
      await post(first, 'raw/sign', { message: 'one' });
      expect(await first.stop()).toBe(0);
      appendFileSync(own.file, '{"audit":1,"ti');
      const second = await run(['serve', ...own.args]);
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(
        'its last line is cut off, and the rest of it cannot be removed (EPERM); move the file away, or allow it',
      );
    } finally {
      spawnSync('chattr', ['-a', own.file]);
    }
  });

  it('can be standard output, where each line is of its own kind', async () => {
    using own = createPlace(keys, keySets);
    await using signer = await own.start(['--audit', '-']);
    for (const message of ['one', 'two']) await post(signer, 'raw/sign', { message });
    await waitFor(() => (linesIn(signer.output()).length === 2 ? true : undefined));
    const verified = await run(['audit', 'verify', '-'], { input: signer.output() });
    expect(verified).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^2 lines.*\nnote: \d+ other lines/),
    });
  });
});

describe('an audit that was changed', () => {
  const changes: readonly (readonly [what: string, change: (lines: string[]) => string[], line: number])[] = [
    ['a line was changed', (lines) => lines.with(2, (lines[2] ?? '').replace('"tcp"', '"web"')), 4],
    ['a line was removed', (lines) => lines.toSpliced(2, 1), 3],
    [
      'a line was put in',
      (lines) => lines.toSpliced(2, 0, (lines[1] ?? '').replace('"seq":2', '"seq":3')),
      3,
    ],
    [
      'two lines were exchanged',
      (lines) => [lines[0] ?? '', lines[2] ?? '', lines[1] ?? '', ...lines.slice(3)],
      2,
    ],
    ['a line is no JSON', (lines) => lines.with(2, '{"audit":1,"time'), 3],
    ['another chain was put in', (lines) => [...lines, lines[0] ?? ''], 7],
    ['a line is too long', (lines) => lines.with(2, `{"audit":1,${' '.repeat(70_000)}`), 3],
    [
      'a line was put in that is longer than any',
      (lines) => lines.toSpliced(2, 0, `{"audit":1,${' '.repeat(600_000)}}`),
      3,
    ],
    [
      'its last line is too long and has no end',
      (lines) => [...lines, `{"audit":1,${' '.repeat(300_000)}`],
      7,
    ],
  ];
  let lines: string[] = [];
  beforeAll(async () => {
    using own = createPlace(keys, keySets);
    await using signer = await own.start();
    for (const message of ['1', '2', '3', '4', '5', '6']) await post(signer, 'raw/sign', { message });
    lines = readFileSync(own.file, 'utf8').trimEnd().split('\n');
  });

  it.each(changes)('is found: %s', async (_, change, line) => {
    const input = `${change([...lines]).join('\n')}\n`;
    const { code, stdout } = await run(['audit', 'verify', '--json', '-'], { input });
    expect([code, JSON.parse(stdout)]).toMatchObject([1, { valid: false, file: '-', line }]);
    expect((await run(['audit', 'verify', '-'], { input })).stdout).toMatch(
      new RegExp(`^-:${line}: the chain breaks`),
    );
  });

  it('is found in none that is whole', async () => {
    const input = `${lines.join('\n')}\n`;
    expect((await run(['audit', 'verify', '-'], { input })).code).toBe(0);
    expect((await run(['audit', 'verify', join('/', 'nowhere')])).code).toBe(1);
    expect((await run(['audit', 'verify', '/'])).stderr).toContain('is a directory');
  });

  it.each([
    ['a configuration', 'keys:\n  session: {}\n'],
    ['bytes', '\0\x01\xff'.repeat(100_000)],
    ['the log alone', '{"level":"info","msg":"starting"}\n'],
  ])('is not taken for whole if there is no line of it: %s', async (_, input) => {
    expect(await run(['audit', 'verify', '-'], { input })).toEqual({
      code: 1,
      stdout: '',
      stderr: '-: no line is one of an audit; check that this is what serve has written (--audit)\n'.replace(
        /^/,
        'sidecar-signer: ',
      ),
    });
  });

  it.each([
    ['', ''],
    ['{"audit":1,"time":"20', '\nnote: the last line of - is cut off; its operation was not answered'],
  ])('is not found before the first line is written: %s', async (input, note) => {
    expect(await run(['audit', 'verify', '-'], { input })).toEqual({
      code: 0,
      stdout: `there is no line of an audit yet${note}\n`,
      stderr: '',
    });
  });

  it('is shown by "audit find" as it stands there, without what a terminal would obey', async () => {
    const tag = 'a'.repeat(64);
    const start = `{"audit":1,"signature":"${fingerprintOf(tag)}","x":`;
    const inputs = [`${start}"\x1b]0;title\x07"}`, `${start}${'['.repeat(30_000)}`, `${start}{"b": 1}}`];
    const file = join(place.path, 'changed.log');
    writeFileSync(file, `${inputs.join('\n')}\n`);
    const { stdout } = await run(['audit', 'find', file, tag]);
    const escaped = inputs.map((line, index) => {
      const shown = line.replace('\x1b', '\\u001b').replace('\x07', '\\u0007');
      return `${file}:${index + 1}: ${shown}`;
    });
    expect(stdout).toBe(`${escaped.join('\n')}\n`);
  });

  it('is searched for a signature, and not for whatever stands on standard input', async () => {
    const file = join(place.path, 'empty.log');
    writeFileSync(file, '');
    const found = await run(['audit', 'find', file, '-'], { input: 'a'.repeat(300_000) });
    expect(found).toMatchObject({ code: 1, stdout: '' });
    expect(found.stderr).toContain('standard input is longer than 262144 bytes; give the signature');
  });
});
