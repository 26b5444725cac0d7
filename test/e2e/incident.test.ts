/**
 * An incident on the compiled binary, from beginning to end: a session token is stolen, found in the audit, its key rotated,
 * and the old key removed when a metric says that nobody needs it. The file of the audit is renamed and the signer killed
 * in between.
 */

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { SignerClient } from '../../src/client/index.ts';
import { auditIn } from '../support/audit.ts';
import { everythingPrinted, run } from '../support/command.ts';
import { leaksOfAny } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

/** How a key is rotated. Every command is given the path of the key file. */
interface Rotation {
  readonly file: string;
  /** Fields of the key set. */
  readonly fields: string;
  readonly create: readonly string[];
  readonly rotate: readonly (readonly string[])[];
  removeOld(path: string): Promise<unknown>;
  /** The keys in the files now. */
  keys(path: string): readonly Buffer[];
}

const command = async (args: readonly string[]) => {
  const done = await run(args);
  expect(done, args.join(' ')).toMatchObject({ code: 0 });
  return done;
};
const fromHex = (path: string) => Buffer.from(readFileSync(path, 'utf8').trim(), 'hex');
const isThere = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;

const rotations: Readonly<Record<string, Rotation>> = {
  'two files': {
    file: 'session',
    fields: 'encoding: hex, alsoVerify: [session.previous]',
    create: ['keys', 'new', '--encoding=hex'],
    rotate: [['keys', 'rotate', '--encoding=hex']],
    removeOld: async (path) => rmSync(`${path}.previous`),
    keys: (path) => [path, `${path}.previous`].filter(isThere).map(fromHex),
  },
  'a JWK set': {
    file: 'session.jwks.json',
    fields: 'file: session.jwks.json',
    create: ['keys', 'new', '--kid=old'],
    rotate: [
      ['keys', 'add', '--kid=new'],
      ['keys', 'promote'],
    ],
    removeOld: (path) => command(['keys', 'remove', path, 'old']),
    keys: (path) =>
      JSON.parse(readFileSync(path, 'utf8')).keys.map(({ k }: { k: string }) => Buffer.from(k, 'base64url')),
  },
};

/** When a key in this role last verified a valid signature, in seconds; undefined if none has. */
async function lastVerified({ opsUrl }: Signer, role: 'primary' | 'other'): Promise<number | undefined> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text();
  const name = 'sidecar_signer_key_last_used_timestamp_seconds';
  const sample = `${name}{key_set="session",role="${role}",operation="verify"} `;
  const line = text.split('\n').find((each) => each.startsWith(sample));
  return line === undefined ? undefined : Number(line.slice(sample.length));
}

it.each(Object.entries(rotations))(
  'a stolen token is found, and ends with its key: %s',
  async (_, rotation) => {
    const directory = temporaryDirectory();
    onTestFinished(() => directory[Symbol.dispose]());
    const here = (name: string) => join(directory.path, name);
    for (const name of ['keys', 'web', 'worker', 'audit']) mkdirSync(here(name));
    const keyFile = here(`keys/${rotation.file}`);
    const audit = here('audit/audit.log');
    const secrets = new Map<string, Buffer>();
    const remember = () => {
      for (const key of rotation.keys(keyFile)) secrets.set(key.toString('hex'), key);
    };
    await command([...rotation.create, keyFile]);
    await command(['keys', 'new', '--encoding=hex', here('keys/jobs')]);
    remember();
    writeFileSync(
      here('signer.yaml'),
      `keys:
  session:
    ${rotation.fields.replaceAll(', ', '\n    ')}
    format: jwt
    jwt: { audience: api, maxLifetimeSeconds: 900 }
    callers: { web: [sign, verify], worker: [verify] }
  jobs:
    encoding: hex
    callers: { worker: [sign, verify] }
`,
    );
    const start = async () => {
      const sockets = ['web', 'worker'].flatMap((name) => ['--socket', `${name}=${here(`${name}/s`)}`]);
      const flags = ['--keys', here('keys'), '--config', here('signer.yaml'), '--audit', audit];
      const started = await startSigner([...flags, ...sockets]);
      onTestFinished(() => started[Symbol.asyncDispose]());
      await started.ready();
      return started;
    };
    let signer = await start();
    const [web, worker] = ['web', 'worker'].map(
      (name) => new SignerClient({ socketPath: here(`${name}/s`) }),
    ) as [SignerClient, SignerClient];
    const session = web.keySet('session', 'jwt');
    const login = async (sub: string, jti: string) => (await session.sign({ claims: { sub, jti } })).token;
    const check = (client: SignerClient, token: string) => client.keySet('session', 'jwt').verify({ token });
    const find = async (files: readonly string[], text: string) => {
      const found = await run(['audit', 'find', '--json', ...files, '-'], { input: text });
      return JSON.parse(found.stdout) as {
        count: number;
        matches: { file: string; event: { time: string } }[];
      };
    };

    // Many log in, and the worker works. One token gets lost.
    const begun = Date.now();
    const tokens: string[] = [];
    for (let count = 0; count < 20; count++) {
      tokens.push(await login(`user-${count}`, `session-${count}`));
      await worker.keySet('jobs', 'raw').sign({ message: `job ${count}` });
    }
    const stolen = tokens[13] ?? '';
    expect((await check(worker, stolen)).valid).toBe(true);
    const ended = Date.now();

    // Its line tells who had it made, and when; wherever it was found, and whatever stands around it.
    for (const text of [
      stolen,
      `Cookie: theme=dark; session=${stolen}; lang=de`,
      `curl -H 'Authorization: Bearer ${stolen}'`,
    ]) {
      const { count, matches } = await find([audit], text);
      expect(count).toBe(2);
      expect(matches).toMatchObject([
        {
          event: {
            ...{ caller: 'web', keySet: 'session', operation: 'sign', outcome: 'ok' },
            about: { sub: 'user-13', jti: 'session-13', aud: 'api' },
          },
        },
        { event: { caller: 'worker', operation: 'verify', outcome: 'ok' } },
      ]);
      const time = Date.parse(matches[0]?.event.time ?? '');
      expect(time).toBeGreaterThanOrEqual(begun);
      expect(time).toBeLessThanOrEqual(ended);
    }
    // A token that differs in its last byte was never made.
    const forged = stolen.replace(/.{2}$/, (end) => (end === 'AA' ? 'BA' : 'AA'));
    expect((await find([audit], forged)).count).toBe(0);

    // A day goes by: the file is renamed, and a node fails.
    const before = `${audit}.1`;
    renameSync(audit, before);
    signer.process.kill('SIGHUP');
    tokens.push(await login('late', 'session-late'));
    signer.process.kill('SIGKILL');
    await signer[Symbol.asyncDispose]();
    signer = await start();
    expect((await find([before, audit], stolen)).matches.map(({ file }) => file)).toEqual([before, before]);

    // The key is rotated. Nobody is logged out, the thief neither.
    const [old] = (await session.describe()).keyIds;
    for (const [first = '', second = '', ...flags] of rotation.rotate) {
      await command([first, second, keyFile, ...(second === 'promote' ? ['new'] : flags)]);
      remember();
    }
    const keyIds = await waitFor(async () => {
      const described = await session.describe();
      return described.keyIds.length === 2 && described.primary !== old ? described.keyIds : undefined;
    });
    expect(keyIds[1]).toBe(old);
    for (const token of tokens) expect(await check(worker, token)).toMatchObject({ valid: true, keyId: old });
    expect(await check(web, stolen)).toMatchObject({ valid: true, primary: false });

    // The metric grows with each token of the old key, and with no other.
    const used = (await lastVerified(signer, 'other')) ?? Number.NaN;
    expect(used).toBeGreaterThan(ended / 1000);
    await delay(10);
    await check(worker, stolen);
    const usedAgain = (await lastVerified(signer, 'other')) ?? Number.NaN;
    expect(usedAgain).toBeGreaterThan(used);
    const fresh = await login('user-13', 'session-14');
    for (let count = 0; count < 5; count++) {
      const primaryBefore = (await lastVerified(signer, 'primary')) ?? 0;
      await delay(10);
      expect(await check(worker, fresh)).toMatchObject({ valid: true, primary: true });
      // Neither does one that is not valid.
      expect((await check(worker, forged)).valid).toBe(false);
      expect(await lastVerified(signer, 'primary')).toBeGreaterThan(primaryBefore);
      expect(await lastVerified(signer, 'other')).toBe(usedAgain);
    }

    // So it can be removed, and the token is not valid any more. Whoever tries it leaves a line.
    await rotation.removeOld(keyFile);
    await waitFor(async () => ((await session.describe()).keyIds.length === 1 ? true : undefined));
    const lines = auditIn(audit).length;
    expect(await check(worker, stolen)).toEqual({ valid: false, reason: 'mismatch' });
    expect(await check(worker, fresh)).toMatchObject({ valid: true });
    expect(await lastVerified(signer, 'other')).toBeUndefined();
    const [attempt, ...rest] = auditIn(audit).slice(lines);
    expect(attempt).toMatchObject({
      caller: 'worker',
      keySet: 'session',
      operation: 'verify',
      outcome: 'invalid',
    });
    expect(rest).toHaveLength(1);

    // Through all of that, one chain.
    const verified = JSON.parse((await command(['audit', 'verify', '--json', before, audit])).stdout);
    const { seq } = auditIn(audit).at(-1) ?? {};
    expect(verified).toMatchObject({ valid: true, chains: 1, first: 1, head: { seq }, lines: seq, cut: [] });
    expect(secrets.size).toBe(2);
    const told =
      everythingPrinted() + signer.output() + readFileSync(before, 'utf8') + readFileSync(audit, 'utf8');
    expect(leaksOfAny(told, [...secrets.values()])).toEqual([]);
    for (const token of [...tokens, fresh]) expect(told).not.toContain(token.split('.')[2]);
  },
);
