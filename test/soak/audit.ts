/**
 * The audit under everything at once: keys and files are rotated, the disk fills up, and the signer is killed, while callers
 * sign and verify. At the end every answer that left is looked up in the audit.
 */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeVolume } from '../support/atomic-writer.ts';
import { type AuditLine, createPlace, fingerprintOf, linesIn } from '../support/audit.ts';
import { run } from '../support/command.ts';
import { isRoot } from '../support/process.ts';
import { waitFor } from '../support/signer.ts';

export interface AuditOutcome {
  readonly measured: string;
  readonly failures: readonly string[];
}

/** What the caller was told, by the fingerprint of the signature. */
interface Told {
  readonly keySet: string;
  readonly keyId: string;
  readonly operation: string;
}

const callers = 8;
const batchSize = 40;
/** A disk of this size is full after some thousand lines. */
const diskBytes = 2 ** 20;
const secrets = () => ({ orders: randomBytes(32), session: randomBytes(32) });
const keySets = { orders: {}, session: { format: 'jwt' } };

/** @param operations how many of them are answered before it ends */
export async function soakAudit(operations: number): Promise<AuditOutcome> {
  using place = createPlace(secrets(), keySets);
  using disk = smallDisk(join(place.path, 'disk'));
  const file = join(disk.path, 'audit.log');
  const archive: string[] = [];
  const told: (readonly [fingerprint: string, Told])[] = [];
  const counts = { verified: 0, refused: 0, unanswered: 0, kills: 0, keyRotations: 0 };
  let answered = 0;
  let serial = 0;
  let isOver = false;
  const start = () => place.start(['--audit', file], disk.limits);
  let signer = await start();

  const note = (keySet: string, answer: { signature?: string; token?: string; keyId: string }) => {
    const tag = answer.signature ?? answer.token?.split('.')[2] ?? '';
    told.push([fingerprintOf(tag), { keySet, keyId: answer.keyId, operation: 'sign' }]);
    answered += 1;
  };
  // biome-ignore lint/suspicious/noExplicitAny: answers of several kinds
  const ask = async (path: string, body: object): Promise<any> => {
    const response = await signer.call(`/v1/keys/${path}`, body);
    const answer = await response.json();
    if (response.status === 503) {
      counts.refused += 1;
      // As Retry-After asks, in short.
      await new Promise((resolve) => setTimeout(resolve, 5));
      return undefined;
    }
    if (response.status !== 200) throw new Error(`status ${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const once = async (): Promise<void> => {
    const message = `message ${serial++}`;
    const single = await ask('orders/sign', { message });
    if (single === undefined) return;
    note('orders', single);
    const token = await ask('session/sign', { claims: { jti: message, sub: 'ann' } });
    if (token !== undefined) note('session', token);
    const items = Array.from({ length: batchSize }, () => ({ message: `message ${serial++}` }));
    const batch = await ask('orders/sign-batch', { items });
    for (const result of batch?.results ?? []) note('orders', result);
    const verified = await ask('orders/verify', { message, signature: single.signature });
    if (verified === undefined) return;
    counts.verified += 1;
    answered += 1;
  };
  const call = async (): Promise<void> => {
    while (!isOver) {
      const asked = signer;
      try {
        await once();
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('status')) throw error;
        counts.unanswered += 1;
        // The signer was killed; the next one is about to start.
        await waitFor(() => isOver || signer !== asked || undefined).catch(() => undefined);
      }
    }
  };

  /** Renames the file, and moves it away when the signer writes to the next one. */
  const rotate = async (): Promise<void> => {
    const renamed = `${file}.1`;
    const openings = () => signer.output().split('audit file opened anew').length;
    const before = openings();
    renameSync(file, renamed);
    signer.process.kill('SIGHUP');
    await waitFor(() => openings() > before || undefined);
    const kept = join(place.path, `audit.${archive.length}`);
    copyFileSync(renamed, kept);
    rmSync(renamed);
    archive.push(kept);
  };
  const kill = async (): Promise<void> => {
    signer.process.kill('SIGKILL');
    await signer[Symbol.asyncDispose]();
    counts.kills += 1;
    signer = await start();
  };
  const rotateKeys = (): void => {
    writeVolume(join(place.path, 'keys'), secrets());
    counts.keyRotations += 1;
  };

  const calling = Promise.all(Array.from({ length: callers }, call)).catch((error) => {
    isOver = true;
    return error as Error;
  });
  for (let round = 0; answered < operations && !isOver; round++) {
    const before = answered;
    const refusedBefore = counts.refused;
    await waitFor(
      () => isOver || answered > before + 1500 || counts.refused > refusedBefore + 5 || undefined,
    );
    if (isOver) break;
    if (counts.refused > refusedBefore + 5) await rotate();
    else if (round % 5 === 3) await kill();
    else if (round % 7 === 5) await rotate();
    else rotateKeys();
  }
  isOver = true;
  const failure = await calling;
  await signer.stop();
  const files = [...archive, file];
  const failures = failure instanceof Error ? [failure.message] : [];
  const { code, stdout } = await run(['audit', 'verify', ...files]);
  if (code !== 0) failures.push(stdout.trim());
  const lines = files.flatMap((each) => linesIn(readFileSync(each, 'utf8')));
  return {
    measured: `${answered} operations answered, ${lines.length} lines in ${files.length} files, ${counts.kills} kills, ${counts.keyRotations} rotations of the keys, ${counts.refused} refused on a full ${disk.kind}, ${counts.unanswered} unanswered`,
    failures: [...failures, ...compare(told, counts.verified, lines)],
  };
}

/** Each signature that was answered has one line, which says the same. */
function compare(
  told: readonly (readonly [string, Told])[],
  verified: number,
  lines: readonly AuditLine[],
): readonly string[] {
  const signed = new Map<string, AuditLine>();
  const failures: string[] = [];
  for (const line of lines.filter(({ operation }) => operation === 'sign')) {
    if (line.signature === undefined || signed.has(line.signature))
      failures.push(`line ${line.seq} is there twice`);
    else signed.set(line.signature, line);
  }
  for (const [fingerprint, { keySet, keyId, operation }] of told) {
    const line = signed.get(fingerprint);
    const isRight =
      line?.keySet === keySet &&
      line.keyId === keyId &&
      line.operation === operation &&
      line.outcome === 'ok';
    if (!isRight || line.caller !== 'tcp') failures.push(`an answer of ${keySet} has no line that says so`);
  }
  const verifications = lines.filter(({ operation, outcome }) => operation === 'verify' && outcome === 'ok');
  if (verifications.length < verified)
    failures.push(`of ${verified} verifications ${verifications.length} have a line`);
  return failures.slice(0, 10);
}

interface SmallDisk extends Disposable {
  readonly path: string;
  readonly kind: string;
  readonly limits: { readonly wrapper?: readonly string[] };
}

/** A file system of its own where that is possible, and a limit for the size of files elsewhere. */
function smallDisk(path: string): SmallDisk {
  mkdirSync(path);
  const mount = ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', path];
  try {
    if (!isRoot || !existsSync('/bin/mount')) throw new Error('not root');
    execFileSync('mount', mount, { stdio: 'ignore' });
  } catch {
    const wrapper = ['prlimit', `--fsize=${diskBytes}`];
    return { path, kind: 'file', limits: { wrapper }, [Symbol.dispose]: () => undefined };
  }
  const unmount = () => execFileSync('umount', ['-l', path]);
  return { path, kind: 'disk', limits: {}, [Symbol.dispose]: unmount };
}
