/** What the compiled binary does when its audit cannot be written: nothing leaves unrecorded, or it is counted. */

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ClientOptions, SignerClient } from '../../src/client/index.ts';
import { auditIn, createPlace, fingerprintOf, linesIn } from '../support/audit.ts';
import { run } from '../support/command.ts';
import { isRoot } from '../support/process.ts';
import { type Signer, startSigner, waitFor } from '../support/signer.ts';

const files = { orders: randomBytes(32) };
const keySets = { orders: {} };
const audited = () => createPlace(files, keySets);

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: { readonly code?: string; readonly signature?: string };
}

async function sign(signer: Signer, message = 'hello'): Promise<Answer> {
  const response = await signer.call('/v1/keys/orders/sign', { message });
  const body = (await response.json()) as Answer['body'];
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body };
}

async function statusOf({ opsUrl }: Signer) {
  const { audit } = (await (await fetch(`${opsUrl}/status`)).json()) as {
    audit: { problem: string | null; failures: number; head: { seq: number } };
  };
  return audit;
}

const refused = { status: 503, retryAfter: '1', body: { code: 'unrecorded' } };

/** Every answer that left has its line, and the chain is whole. */
async function expectRecorded(answers: readonly Answer[], paths: readonly string[]): Promise<void> {
  const told = new Set(paths.flatMap((path) => auditIn(path)).map(({ signature }) => signature));
  for (const { body } of answers) {
    if (body.signature !== undefined) expect(told).toContain(fingerprintOf(body.signature));
  }
  const { code, stdout } = await run(['audit', 'verify', ...paths]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('the chain is whole')]);
}

describe('/dev/full', () => {
  it('stops what would be answered unrecorded, and nothing else', async () => {
    using place = audited();
    await using signer = await place.start(['--audit', '/dev/full']);
    expect(await sign(signer)).toMatchObject(refused);
    const unknown = await signer.call('/v1/keys/none/sign', {});
    expect(unknown.status).toBe(503);
    const items = [{ message: 'a' }, { message: 'b' }];
    const batch = await signer.call('/v1/keys/orders/sign-batch', { items });
    expect([batch.status, batch.headers.get('retry-after')]).toEqual([503, '1']);
    expect(JSON.stringify(await batch.json())).not.toContain('signature');
    expect((await signer.call('/v1/keys')).status).toBe(200);
    expect((await fetch(`${signer.opsUrl}/readyz`)).status).toBe(200);
    expect(await statusOf(signer)).toMatchObject({
      ...{ problem: 'there is no room left (ENOSPC)', failures: 4, head: { seq: 0 } },
    });
    const metrics = await (await fetch(`${signer.opsUrl}/metrics`)).text();
    expect(metrics).toContain('sidecar_signer_audit_up 0\n');
    expect(metrics).toContain('sidecar_signer_audit_failures_total 4\n');
    expect(metrics).toContain('operation="sign",outcome="unrecorded"} 2\n');
    expect(signer.output().match(/the audit cannot be written: requests are refused/g)).toHaveLength(1);
  });

  it('is counted with --audit-on-failure continue', async () => {
    using place = audited();
    await using signer = await place.start(['--audit', '/dev/full', '--audit-on-failure', 'continue']);
    for (let count = 0; count < 3; count++) expect((await sign(signer)).status).toBe(200);
    expect(await statusOf(signer)).toMatchObject({ failures: 3 });
    expect(signer.output()).toContain('the audit cannot be written: requests are answered without it');
  });
});

/** A limit that the kernel keeps for this process alone. */
const limited = (bytes: number) => ({ wrapper: ['prlimit', `--fsize=${bytes}`] });

describe('a file that has reached its largest size', () => {
  it('holds whole lines, and takes more as soon as there is room', async () => {
    using place = audited();
    await using signer = await place.start([], limited(2000));
    const answers: Answer[] = [];
    for (let count = 0; count < 20; count++) {
      answers.push(...(await Promise.all(Array.from({ length: 5 }, () => sign(signer)))));
    }
    const signed = answers.filter(({ status }) => status === 200);
    expect(signed.length).toBeGreaterThan(2);
    expect(answers.at(-1)).toMatchObject(refused);
    expect(auditIn(place.file)).toHaveLength(signed.length);
    expect(readFileSync(place.file, 'utf8')).toMatch(/\}\n$/);
    expect((await statusOf(signer)).problem).toBe('the file has reached its largest size (EFBIG)');
    execFileSync('mv', [place.file, `${place.file}.1`]);
    signer.process.kill('SIGHUP');
    await waitFor(async () => (await sign(signer)).status === 200 || undefined);
    await waitFor(() => signer.output().includes('the audit is written again') || undefined);
    await expectRecorded(answers, [`${place.file}.1`, place.file]);
  });

  it('misses lines with --audit-on-failure continue, and says how many', async () => {
    using place = audited();
    await using signer = await place.start(['--audit-on-failure', 'continue'], limited(1000));
    for (let count = 0; count < 10; count++) expect((await sign(signer)).status).toBe(200);
    const written = auditIn(place.file).length;
    execFileSync('mv', [place.file, `${place.file}.1`]);
    signer.process.kill('SIGHUP');
    await waitFor(
      () => signer.output().includes('the audit is written again') || sign(signer).then(() => undefined),
    );
    const after = auditIn(place.file);
    const { failures } = await statusOf(signer);
    expect(after[0]).toMatchObject({ outcome: 'unrecorded', count: failures, seq: written + 1 });
    await expectRecorded([], [`${place.file}.1`, place.file]);
  });
});

describe('the client', () => {
  it('tries again, and succeeds as soon as there is room', async () => {
    using place = audited();
    await using signer = await place.start([], limited(1000));
    while ((await sign(signer)).status === 200);
    const { failures } = await statusOf(signer);
    const call = (options: ClientOptions, message: string) =>
      new SignerClient({ url: signer.url, ...options }).keySet('orders', 'raw').sign({ message });
    const error = { code: 'unrecorded', status: 503, retryAfterSeconds: 1 };
    await expect(call({ retries: 0 }, 'once')).rejects.toMatchObject(error);
    await expect(call({ retries: 1 }, 'twice')).rejects.toMatchObject(error);
    expect((await statusOf(signer)).failures).toBe(failures + 3);
    const signing = call({}, 'until there is room');
    await waitFor(async () => (await statusOf(signer)).failures === failures + 4 || undefined);
    execFileSync('mv', [place.file, `${place.file}.1`]);
    signer.process.kill('SIGHUP');
    const { signature } = await signing;
    expect(auditIn(place.file)).toMatchObject([{ outcome: 'ok', signature: fingerprintOf(signature) }]);
    expect((await run(['audit', 'verify', `${place.file}.1`, place.file])).code).toBe(0);
  });
});

const suffix = isRoot ? '' : ' (skipped: only root can mount a file system)';
describe.skipIf(!isRoot)(`a full disk${suffix}`, () => {
  it('refuses what it cannot record, and goes on when there is room', async () => {
    using place = audited();
    const disk = join(place.path, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      const file = join(disk, 'audit.log');
      writeFileSync(join(disk, 'ballast'), '');
      await using signer = await place.start(['--audit', file]);
      const answers: Answer[] = [];
      for (let count = 0; count < 40; count++) {
        answers.push(...(await Promise.all(Array.from({ length: 10 }, () => sign(signer)))));
      }
      expect(answers.at(-1)).toMatchObject(refused);
      expect(auditIn(file)).toHaveLength(answers.filter(({ status }) => status === 200).length);
      execFileSync('mount', ['-o', 'remount,size=1m', disk]);
      answers.push(await sign(signer));
      expect(answers.at(-1)).toMatchObject({ status: 200 });
      await expectRecorded(answers, [file]);
      await signer.stop();
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});

describe('a FIFO', () => {
  const createFifo = (path: string) => execFileSync('mkfifo', [path]);

  it('gives its reader every line, also those of a long batch', async () => {
    using place = audited();
    createFifo(place.file);
    const out = join(place.path, 'out');
    const reader = spawn('sh', ['-c', `exec cat ${place.file} > ${out}`], { stdio: 'ignore' });
    await using signer = await place.start();
    const items = Array.from({ length: 1000 }, (_, index) => ({
      message: 'm',
      reference: `${index}-`.padEnd(200, 'x'),
    }));
    for (let count = 0; count < 3; count++) {
      expect((await signer.call('/v1/keys/orders/sign-batch', { items })).status).toBe(200);
    }
    await waitFor(() => (auditIn(out).length === 3000 ? true : undefined));
    expect((await run(['audit', 'verify', out])).code).toBe(0);
    reader.kill();
  });

  it('whose reader pauses stops nobody for long, and holds no half line when it goes on', async () => {
    using place = audited();
    createFifo(place.file);
    const reader = openSync(place.file, constants.O_RDONLY | constants.O_NONBLOCK);
    await using signer = await place.start();
    let answer = await sign(signer);
    for (let count = 0; count < 2000 && answer.status === 200; count++) {
      answer = await sign(signer, 'm'.repeat(20));
    }
    expect(answer).toMatchObject(refused);
    const started = performance.now();
    expect(await sign(signer)).toMatchObject(refused);
    expect(performance.now() - started).toBeLessThan(200);
    let text = '';
    const drain = () => {
      try {
        text += execFileSync('dd', ['bs=64k', 'count=1', 'iflag=nonblock'], {
          stdio: [reader, 'pipe', 'ignore'],
          maxBuffer: 2 ** 20,
        }).toString();
      } catch {
        // There is nothing to read now.
      }
    };
    drain();
    answer = await sign(signer);
    expect(answer).toMatchObject({ status: 200 });
    drain();
    expect(linesIn(text).at(-1)).toMatchObject({ signature: fingerprintOf(answer.body.signature ?? '') });
    expect((await run(['audit', 'verify', '-'], { input: text })).code).toBe(0);
    closeSync(reader);
    expect(await sign(signer)).toMatchObject(refused);
    expect((await statusOf(signer)).problem).toBe('nobody reads it (EPIPE)');
  });
});

describe('SIGHUP', () => {
  it.each([
    ['with an audit', []],
    ['to standard output', ['--audit', '-']],
    ['to a device', ['--audit', '/dev/null']],
  ])('in great number, while lines are written and files renamed, ends nothing: %s', async (_, more) => {
    using place = audited();
    await using signer = await place.start(more);
    const isFile = more.length === 0;
    const answers: Answer[] = [];
    const paths: string[] = [];
    let running = true;
    const callers = Array.from({ length: 4 }, async () => {
      while (running) answers.push(await sign(signer));
    });
    for (let round = 0; round < 10; round++) {
      if (isFile) {
        paths.push(`${place.file}.${round}`);
        renameSync(place.file, paths.at(-1) ?? '');
      }
      const before = answers.length;
      await waitFor(() => {
        for (let count = 0; count < 20; count++) signer.process.kill('SIGHUP');
        return (answers.length > before + 100 && (!isFile || existsSync(place.file))) || undefined;
      });
    }
    running = false;
    await Promise.all(callers);
    expect(answers.length).toBeGreaterThan(1000);
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    if (isFile) {
      await expectRecorded(answers, [...paths, place.file]);
      expect(signer.output().match(/audit file opened anew/g)).toHaveLength(10);
    }
    expect(signer.output()).not.toContain('"level":"error"');
    expect(await signer.stop()).toBe(0);
  });

  it('in great number ends no signer that keeps no audit', async () => {
    using place = audited();
    const flags = ['--keys', join(place.path, 'keys'), '--config', join(place.path, 'config/signer.yaml')];
    await using signer = await startSigner(flags);
    for (let count = 0; count < 50; count++) signer.process.kill('SIGHUP');
    await signer.ready();
    for (let count = 0; count < 200; count++) {
      for (let times = 0; times < 20; times++) signer.process.kill('SIGHUP');
      expect((await sign(signer)).status).toBe(200);
    }
    expect(signer.output()).not.toContain('audit');
    expect(await signer.stop()).toBe(0);
  });
});

describe('SIGKILL', () => {
  it('at any moment leaves a line for each answer, and a chain that goes on', {
    timeout: 120_000,
  }, async () => {
    using place = audited();
    const answers: Answer[] = [];
    for (let round = 0; round < 5; round++) {
      const signer = await place.start();
      let running = true;
      const callers = Array.from({ length: 8 }, async () => {
        while (running) {
          const answer = await sign(signer).catch(() => undefined);
          if (answer !== undefined) answers.push(answer);
        }
      });
      const before = answers.length;
      await waitFor(() => answers.length > before + 200 + round * 37 || undefined);
      signer.process.kill('SIGKILL');
      running = false;
      await Promise.all(callers);
      const { code, stdout } = await run(['audit', 'verify', place.file]);
      expect([code, stdout]).toEqual([0, expect.stringContaining('the chain is whole')]);
    }
    expect(answers.length).toBeGreaterThan(1000);
    await using signer = await place.start();
    answers.push(await sign(signer));
    await expectRecorded(answers, [place.file]);
    expect((await run(['audit', 'verify', place.file])).stdout).not.toContain('chains');
  });
});
