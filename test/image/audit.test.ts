/** The audit of a container, on a volume: it goes on through a renamed file and a killed container. */

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { leaks } from '../support/leaks.ts';
import { temporaryDirectory, waitFor } from '../support/signer.ts';
import {
  docker,
  giveToSigner,
  inspect,
  runInside,
  type SignerContainer,
  startContainer,
} from './container.ts';
import { image } from './obstacle.ts';

const directory = '/var/log/signer';
const file = `${directory}/audit.log`;

/** Signs until it is killed, and prints each signature. */
const caller = `
  const headers = { 'Sec-Signer': '1', 'Content-Type': 'application/json' };
  for (;;) {
    const request = { method: 'POST', headers, body: JSON.stringify({ message: 'order 4711' + Math.random() }) };
    const answer = await fetch('http://127.0.0.1:8700/v1/keys/orders/sign', request);
    console.log((await answer.json()).signature);
  }`;

/** The signatures that a caller gets from the start of the act to its end. */
async function signatures({ id }: SignerContainer, act: () => Promise<unknown>): Promise<readonly string[]> {
  const calling = spawn('docker', ['exec', '--env', 'BUN_BE_BUN=1', id, '/sidecar-signer', '--eval', caller]);
  let output = '';
  calling.stdout.on('data', (part) => {
    output += part;
  });
  const seen = () => output.match(/^[0-9a-f]{64}$/gm) ?? [];
  const ended = new Promise((resolve) => calling.once('close', resolve));
  await waitFor(() => seen().length > 200 || undefined);
  await act();
  await ended;
  return seen();
}

test('of a container goes on through a renamed file and SIGKILL', { timeout: 120_000 }, async () => {
  using keys = temporaryDirectory();
  using logs = temporaryDirectory();
  const key = randomBytes(32);
  writeVolume(keys.path, { orders: key });
  giveToSigner(logs.path);
  await using container = await startContainer(keys.path, {
    args: [`--audit=${file}`],
    mounts: [{ source: logs.path, target: directory }],
    memoryMiB: 96,
  });
  const { id } = container;
  const inside = (script: string) => {
    const { ok, output, stdout } = runInside(id, script);
    expect(ok, output).toBe(true);
    return stdout.toString();
  };
  const audit = (...args: readonly string[]) => {
    const { ok, output, stdout } = container.command(['audit', ...args]);
    expect(ok, output).toBe(true);
    return JSON.parse(stdout.toString());
  };
  const kill = async () => {
    expect(docker('kill', '-s', 'KILL', id).ok).toBe(true);
    await waitFor(() => (inspect<string>(id, '.State.Status') === 'exited' ? true : undefined));
  };
  const start = async () => {
    const before = container.logs().match(/"msg":"keys loaded"/g)?.length ?? 0;
    expect(docker('start', id).ok).toBe(true);
    await waitFor(() => (container.logs().match(/"msg":"keys loaded"/g)?.length ?? 0) > before || undefined);
  };

  const answered = [
    // Under load, the file is renamed, and a second later the container is killed.
    ...(await signatures(container, async () => {
      inside(`require('fs').renameSync('${file}', '${file}.1')`);
      await waitFor(() => container.logs().includes('audit file opened anew') || undefined);
      await kill();
    })),
  ];
  await start();
  answered.push(...(await signatures(container, kill)));
  await start();
  const last = container.command(['sign', 'orders'], 'order 4711').stdout.toString().trim();
  expect(last).toMatch(/^[0-9a-f]{64}$/);
  answered.push(last);

  const files = [`${file}.1`, file];
  const verified = audit('verify', '--json', ...files);
  expect(verified).toMatchObject({ valid: true, chains: 1, first: 1, cut: [] });
  const text = inside(
    `for (const file of ${JSON.stringify(files)}) console.log(await Bun.file(file).text())`,
  );
  const told = new Set([...text.matchAll(/"signature":"([0-9a-f]{32})"/g)].map(([, mark]) => mark));
  expect(answered.length).toBeGreaterThan(400);
  for (const signature of answered) {
    expect(told).toContain(createHash('sha256').update(signature).digest('hex').slice(0, 32));
  }
  expect(audit('find', '--json', ...files, last)).toMatchObject({
    count: 1,
    matches: [{ file, event: { seq: verified.head.seq, instance: id.slice(0, 12), caller: 'tcp' } }],
  });
  const { stdout } = container.command(['status', '--json']);
  expect(JSON.parse(stdout.toString()).audit).toMatchObject({ file, problem: null, head: verified.head });
  expect(container.command(['status']).output).toContain(file);
  expect(leaks(text + container.logs(), key)).toEqual([]);
});

test('of a container ends the start where its user may not write, and says what to do', async () => {
  using keys = temporaryDirectory();
  using logs = temporaryDirectory();
  writeVolume(keys.path, { orders: randomBytes(32) });
  const flags = ['--rm', '--read-only', '--network=none', `--volume=${keys.path}:/etc/signer/keys:ro`];
  const run = (...more: readonly string[]) =>
    docker('run', ...flags, ...more, `--env=SIGNER_AUDIT=${file}`, image, 'serve').output;
  expect(run()).toContain(`the directory ${directory} does not exist; create it, or mount a volume there`);
  const refused = run(`--volume=${logs.path}:${directory}`);
  expect(refused).toContain(`${directory} cannot be written to by uid 65532 (EACCES)`);
  expect(refused).toContain('chown or chmod the directory');
});
