/** What callers try to write into the audit, and what a path of the audit can lead to. */

import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { linkSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { auditIn, createPlace, type Place } from '../support/audit.ts';
import { isRoot } from '../support/process.ts';
import { binary, waitFor } from '../support/signer.ts';
import { createMarkers } from './marker.ts';

const evil =
  '\n{"audit":1,"time":"2026-01-01T00:00:00.000Z","seq":2,"outcome":"ok"}\r\n\u2028\u202e\x1b[2J\x7f"\\';

const jwks = (kid: string, secret: Buffer) =>
  JSON.stringify({
    primary: kid,
    keys: [{ kty: 'oct', kid, alg: 'HS256', k: secret.toString('base64url') }],
  });

describe('text of callers', () => {
  it('makes no line of its own, and no character that acts on a terminal', async () => {
    const kid = '","keySet":"other\\';
    const keySets = {
      raw: {},
      session: { format: 'jwt', file: 'session.jwks.json' },
      hooks: { format: 'standard-webhooks' },
      derived: { deriveFrom: 'root' },
    };
    using place = createPlace(
      {
        ...{ raw: randomBytes(32), hooks: randomBytes(32), root: randomBytes(32) },
        'session.jwks.json': jwks(kid, randomBytes(32)),
      },
      keySets,
    );
    await using signer = await place.start(['--log-level', 'debug']);
    const post = async (path: string, body: object) => {
      const response = await signer.call(`/v1/keys/${path}`, body);
      return (await response.json()) as Record<string, unknown>;
    };
    const claims = { sub: evil, jti: evil.repeat(9) };
    expect(await post('session/sign', { claims })).toMatchObject({ keyId: kid });
    await post('raw/sign-batch', { items: [{ message: 'm', reference: evil }] });
    await post('derived/sign', { message: 'm', tenant: evil });
    await post('hooks/sign', { body: '', id: evil });
    await post(`raw${encodeURIComponent(evil)}/sign`, { message: 'm' });
    await post('session/verify', { token: evil });
    const text = readFileSync(place.file, 'latin1');
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    const lines = auditIn(place.file);
    expect(text.split('\n')).toHaveLength(lines.length + 1);
    expect(lines.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
    expect(lines[0]).toMatchObject({ keySet: 'session', keyId: kid, about: { sub: evil } });
    expect(String(lines[0]?.about?.['jti'])).toBe(evil.repeat(9).slice(0, 256));
    expect(lines[1]).toMatchObject({ reference: evil });
    for (const line of lines.slice(2)) expect(JSON.stringify(line)).not.toContain('2026-01-01T00:00:00.000Z');
    expect(lines.map(({ tenant }) => tenant)).toEqual(lines.map(() => undefined));
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(8192);
    // Nor does it get into the log, which has a line for each request.
    const requests = () => signer.output().match(/^.*"msg":"request".*$/gm) ?? [];
    await waitFor(() => requests().length >= 6 || undefined);
    expect(requests()).toHaveLength(6);
    expect(signer.output()).toMatch(/^[\x20-\x7e\n]*$/);
    expect(signer.output()).not.toContain('2026-01-01T00:00:00.000Z');
    for (const line of signer.output().trimEnd().split('\n')) {
      expect(Object.keys(JSON.parse(line))).toEqual(expect.arrayContaining(['level', 'time', 'msg']));
    }
  });

  it('never has the audit show a key, a message, a token or a tag', async () => {
    const markers = createMarkers();
    const keySets = {
      raw: {},
      session: { format: 'jwt' },
      cookie: { format: 'cookie' },
      hooks: { format: 'standard-webhooks' },
      request: { format: 'http-signature' },
      links: { format: 'signed-url' },
    };
    const files = Object.fromEntries(Object.keys(keySets).map((name) => [name, markers.key()]));
    using place = createPlace(files, keySets);
    await using signer = await place.start();
    const message = markers.key().toString('hex');
    const url = `https://example.com/${message}?${message}`;
    const requests = {
      raw: { message },
      session: { claims: { secret: message } },
      cookie: { value: message },
      hooks: { body: message },
      request: { method: 'POST', url, body: message },
      links: { url },
    };
    for (const [name, request] of Object.entries(requests)) {
      const response = await signer.call(`/v1/keys/${name}/sign`, request);
      const answer = await response.text();
      expect([name, response.status]).toEqual([name, 200]);
      // Every part of an answer that is long enough is a token or a tag; but the id of a key is public.
      const { keyId: _, algorithm: __, expiresAt: ___, ...rest } = JSON.parse(answer);
      const parts = JSON.stringify(rest).match(/[A-Za-z0-9+/_-]{27,}/g) ?? [];
      expect(parts.length).toBeGreaterThan(0);
      const text = readFileSync(place.file, 'utf8');
      // The id of a webhook is told.
      for (const part of parts) if (!part.startsWith('msg_')) expect(text).not.toContain(part);
      const verify = { session: rest, cookie: rest, links: rest }[name] ?? { ...request, ...rest };
      const verified = await signer.call(`/v1/keys/${name}/verify`, verify);
      expect([name, await verified.json()]).toMatchObject([name, { valid: true }]);
      await signer.call(`/v1/keys/${name}/verify`, { message, signature: message, token: message });
    }
    markers.saw(readFileSync(place.file));
    expect(markers.leaks()).toEqual([]);
  });
});

describe('a path that cannot be the audit', () => {
  const run = promisify(execFile);
  const files = { orders: randomBytes(32) };

  /** What `serve` prints when it does not start. */
  async function failure(place: Place, file: string, wrapper: readonly string[] = []): Promise<string> {
    const flags = ['--keys', join(place.path, 'keys'), '--listen', '127.0.0.1:0', '--ops-listen', 'none'];
    const [command = '', ...args] = [...wrapper, binary, 'serve', ...flags, '--audit', file];
    const done = await run(command, args, {
      env: { PATH: process.env['PATH'] ?? '' },
      timeout: 10_000,
    }).catch((error: { code: unknown; stderr: string }) => error);
    expect('code' in done && done.code, `${file} was taken`).toBe(1);
    return done.stderr.replace('sidecar-signer: cannot write the audit to ', '').trim();
  }

  const paths: readonly (readonly [what: string, path: (place: Place) => string, message: string])[] = [
    ['a directory', ({ path }) => path, 'it is a directory'],
    [
      'a directory that does not exist',
      ({ path }) => join(path, 'no/audit.log'),
      'does not exist; create it',
    ],
    ...['a', 'a/b'].map(
      (name) =>
        [
          `a file below a file: ${name}`,
          ({ path }: Place) => join(path, 'config/signer.yaml', name),
          'is not a directory, or lies below a file; correct the path',
        ] as const,
    ),
    ['the key directory', ({ path }) => join(path, 'keys'), 'from which the signer reads keys'],
    [
      'a new file among the keys',
      ({ path }) => join(path, 'keys/audit.log'),
      'from which the signer reads keys',
    ],
    ['a key', ({ path }) => join(path, 'keys/orders'), 'from which the signer reads keys'],
    [
      'a link to the key directory',
      ({ path }) => {
        symlinkSync(join(path, 'keys'), join(path, 'link'));
        return join(path, 'link/../link/audit.log');
      },
      'from which the signer reads keys',
    ],
    [
      'a link to a key',
      ({ path }) => {
        symlinkSync(join(path, 'keys/orders'), join(path, 'audit.log'));
        return join(path, 'audit.log');
      },
      'from which the signer reads keys',
    ],
    [
      'another name of the file with a key',
      ({ path }) => {
        linkSync(join(path, 'keys/..data/orders'), join(path, 'audit.log'));
        return join(path, 'audit.log');
      },
      'does not end with a line of an audit',
    ],
    [
      'a link to nothing among the keys',
      ({ path }) => {
        symlinkSync(join(path, 'keys/new'), join(path, 'audit.log'));
        return join(path, 'audit.log');
      },
      'a symbolic link to a file that does not exist',
    ],
    [
      'a link to itself',
      ({ path }) => {
        symlinkSync('audit.log', join(path, 'audit.log'));
        return join(path, 'audit.log');
      },
      'ELOOP',
    ],
    [
      'a FIFO that nobody reads',
      ({ path }) => {
        execFileSync('mkfifo', [join(path, 'fifo')]);
        return join(path, 'fifo');
      },
      'a FIFO that nobody reads; start its reader first',
    ],
    ...[
      'something else',
      'something else\n',
      '{"audit":1,"seq":1}\n',
      `{"audit":1,${'x'.repeat(200_000)}`,
    ].map(
      (content) =>
        [
          `a file of somebody else: ${content.slice(0, 20)}`,
          ({ path }: Place) => {
            writeFileSync(join(path, 'audit.log'), content);
            return join(path, 'audit.log');
          },
          'does not end with a line of an audit; move it away',
        ] as const,
    ),
  ];

  it.each(paths)('ends the start: %s', async (_, path, message) => {
    using place = createPlace(files, { orders: {} });
    const file = path(place);
    const before = isFile(file) && readFileSync(file);
    expect(await failure(place, file)).toContain(message);
    if (before) expect(readFileSync(file).equals(before)).toBe(true);
    expect(readFileSync(join(place.path, 'keys/orders')).equals(files.orders)).toBe(true);
    expect(statSync(join(place.path, 'keys/new'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('ends the start: a socket', async () => {
    using place = createPlace(files, { orders: {} });
    const path = join(place.path, 'socket');
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await failure(place, path)).toContain('it is a socket');
    server.close();
  });

  it('ends the start: the audit of another signer, which goes on with it', async () => {
    using place = createPlace(files, { orders: {} });
    await using signer = await place.start();
    expect(await failure(place, place.file)).toContain('another process has locked it');
    expect((await signer.call('/v1/keys/orders/sign', { message: 'm' })).status).toBe(200);
  });

  const suffix = isRoot ? '' : ' (skipped: only root can start it as another user)';
  it.skipIf(!isRoot)(`ends the start: a file of another user${suffix}`, async () => {
    using place = createPlace(files, { orders: {} });
    writeFileSync(place.file, '', { mode: 0o600 });
    execFileSync('chmod', ['755', place.path]);
    const wrapper = ['setpriv', '--reuid=65532', '--regid=65532', '--clear-groups'];
    expect(await failure(place, place.file, wrapper)).toContain('uid 65532 may not write to it (EACCES)');
    expect(await failure(place, join(place.path, 'new.log'), wrapper)).toContain(
      'cannot be written to by uid 65532',
    );
    execFileSync('chmod', ['222', place.file]);
    expect(await failure(place, place.file, wrapper)).toContain('it cannot be read (EACCES)');
  });
});

/** Whatever stands in the way. */
function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false;
  }
}

describe('a caller who floods', () => {
  it('with huge batches has every item recorded, or none answered', { timeout: 60_000 }, async () => {
    using place = createPlace({ orders: randomBytes(32) }, { orders: {} });
    await using signer = await place.start();
    const items = Array.from({ length: 1000 }, (_, index) => ({
      message: 'm',
      reference: `${index}`.padEnd(256, 'é'),
    }));
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const response = await signer.call('/v1/keys/orders/sign-batch', { items });
        return response.status;
      }),
    );
    const answered = answers.filter((status) => status === 200).length;
    expect(answered).toBeGreaterThan(0);
    expect(auditIn(place.file).filter(({ outcome }) => outcome === 'ok').length).toBeGreaterThanOrEqual(
      1000 * answered,
    );
  });

  it('with refusals fills no disk', async () => {
    using place = createPlace({ orders: randomBytes(32) }, { orders: {} });
    await using signer = await place.start();
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 100 }, () => signer.call('/v1/keys/none/sign', {})));
    }
    await waitFor(() => auditIn(place.file).some(({ count }) => count !== undefined) || undefined);
    expect(statSync(place.file).size).toBeLessThan(30_000);
  });
});
