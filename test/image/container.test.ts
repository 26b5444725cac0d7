import { createHmac, randomBytes } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { temporaryDirectory, waitFor } from '../support/signer.ts';
import { traces } from '../support/traces.ts';
import { docker, inspect, runInside, type SignerContainer, startContainer } from './container.ts';
import { image } from './obstacle.ts';

const sweep = readFileSync(join(import.meta.dirname, '../support/sweep.ts'), 'utf8');
const message = 'order 4711';
const tag = (key: Buffer) => createHmac('sha256', key).update(message).digest('hex');

function sign(container: SignerContainer): string {
  const { ok, output } = container.command(['sign', 'orders'], message);
  expect(ok, output).toBe(true);
  return output.trim();
}

const status = (id: string) => inspect<string>(id, '.State.Status');
/** What differs from the image on the disk, but for the place that the engine makes for the mount. */
const changes = (id: string) =>
  docker('diff', id)
    .output.split('\n')
    .filter((line) => line !== '' && !/^[AC] \/(?:etc|etc\/signer|etc\/signer\/keys)$/.test(line));
const health = (id: string) => inspect<string>(id, '.State.Health.Status');

describe('a container of the image', { timeout: 120_000 }, () => {
  test('signs, hardened as an engine allows, in the memory that the manifests give it', async () => {
    using keys = temporaryDirectory();
    const key = randomBytes(32);
    writeVolume(keys.path, { orders: key });
    await using container = await startContainer(keys.path, { memoryMiB: 96 });
    expect(sign(container)).toBe(tag(key));
  });

  test('takes over a key that is swapped in a mounted volume', async () => {
    using keys = temporaryDirectory();
    const [old, fresh] = [randomBytes(32), randomBytes(32)];
    writeVolume(keys.path, { orders: old });
    await using container = await startContainer(keys.path);
    expect(sign(container)).toBe(tag(old));
    writeVolume(keys.path, { orders: fresh });
    await waitFor(() => (sign(container) === tag(fresh) ? true : undefined));
    expect(container.command(['verify', 'orders', tag(old)], message).output).toMatch(
      /^valid, by an earlier key/,
    );
  });

  test('is healthy with a key and unhealthy without one, and becomes healthy when it comes', async () => {
    using keys = temporaryDirectory();
    await using container = await startContainer(keys.path, { until: 'live' });
    await waitFor(() => (health(container.id) === 'unhealthy' ? true : undefined), 60_000);
    expect(container.command(['sign', 'orders'], message).output).toContain('not_ready');
    expect(container.logs()).toMatch(/holds no file; put one into the secret/);
    writeVolume(keys.path, { orders: randomBytes(32) });
    await waitFor(() => (health(container.id) === 'healthy' ? true : undefined), 60_000);
    sign(container);
  });

  test('ends with 0 within five seconds of SIGTERM', async () => {
    using keys = temporaryDirectory();
    writeVolume(keys.path, { orders: randomBytes(32) });
    await using container = await startContainer(keys.path);
    const started = performance.now();
    expect(docker('stop', '--time=30', container.id).ok).toBe(true);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(inspect<number>(container.id, '.State.ExitCode')).toBe(0);
    expect(container.logs().trimEnd().split('\n').at(-1)).toContain('"msg":"stopped"');
  });

  test('serves again after SIGKILL, over the socket that it left behind too', async () => {
    using keys = temporaryDirectory();
    using run = temporaryDirectory();
    const key = randomBytes(32);
    writeVolume(keys.path, { orders: key });
    const mounts = [{ source: writable(run.path), target: '/run/signer' }];
    await using container = await startContainer(keys.path, {
      args: ['--socket=/run/signer/signer.sock'],
      mounts,
    });
    const overSocket = () =>
      container.command(['sign', '--socket=/run/signer/signer.sock', 'orders'], message).output.trim();
    expect(overSocket()).toBe(tag(key));
    expect(docker('kill', '--signal=KILL', container.id).ok).toBe(true);
    await waitFor(() => (status(container.id) === 'exited' ? true : undefined));
    expect(docker('start', container.id).ok).toBe(true);
    await waitFor(() => (container.logs().match(/"msg":"keys loaded"/g)?.length === 2 ? true : undefined));
    expect(overSocket()).toBe(tag(key));
  });

  test('runs as its user, without a capability or a way to one, filtered, and leaves no core', async () => {
    using keys = temporaryDirectory();
    writeVolume(keys.path, { orders: randomBytes(32) });
    await using container = await startContainer(keys.path);
    const state = runInside(
      container.id,
      "const { readFileSync } = require('fs'); process.stdout.write(readFileSync('/proc/1/status', 'utf8') + readFileSync('/proc/1/limits', 'utf8'))",
    ).output;
    expect(state).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m);
    expect(state).toMatch(/^Gid:\t65532\t65532\t65532\t65532$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(state).toMatch(new RegExp(`^${set}:\t0+$`, 'm'));
    }
    expect(state).toMatch(/^NoNewPrivs:\t1$/m);
    expect(state).toMatch(/^Seccomp:\t2$/m);
    expect(state).toMatch(/^Max core file size +0 +0 /m);
  });

  test('leaves nothing on the disk when it crashes', async () => {
    using keys = temporaryDirectory();
    writeVolume(keys.path, { orders: randomBytes(32) });
    await using container = await startContainer(keys.path);
    sign(container);
    docker('kill', '--signal=ABRT', container.id);
    await waitFor(() => (status(container.id) === 'exited' ? true : undefined));
    expect(changes(container.id)).toEqual([]);
  });

  test('can write nowhere: not in one directory that exists', async () => {
    using keys = temporaryDirectory();
    writeVolume(keys.path, { orders: randomBytes(32) });
    await using container = await startContainer(keys.path);
    const { output } = runInside(container.id, tryToWrite);
    const tried = JSON.parse(output) as { directories: number; written: string[] };
    expect(tried.directories).toBeGreaterThan(20);
    expect(tried.written).toEqual([]);
    expect(changes(container.id)).toEqual([]);
  });

  test('does find the place to write when there is one (the control of the test above)', async () => {
    using keys = temporaryDirectory();
    using run = temporaryDirectory();
    writeVolume(keys.path, { orders: randomBytes(32) });
    await using container = await startContainer(keys.path, {
      mounts: [{ source: writable(run.path), target: '/run/signer' }],
    });
    const tried = JSON.parse(runInside(container.id, tryToWrite).output) as { written: string[] };
    expect(tried.written).toEqual(['/run/signer']);
  });

  test('shows no key in what the engine tells of it, nor in its log', async () => {
    using keys = temporaryDirectory();
    const key = randomBytes(32);
    writeVolume(keys.path, { orders: key });
    await using container = await startContainer(keys.path, { args: ['--log-level=debug'] });
    sign(container);
    writeVolume(keys.path, { orders: key, broken: key.subarray(0, 3), twice: key });
    await waitFor(() => (container.logs().includes('keys not loaded') ? true : undefined));
    const told = ['inspect', 'logs', 'top', 'diff', 'port'].map(
      (command) => docker(command, container.id).stdout,
    );
    told.push(Buffer.from(container.logs()), docker('history', '--no-trunc', image).stdout);
    expect(traces(Buffer.concat(told), key)).toEqual([]);
    expect(traces(container.command(['check', '--json']).stdout, key)).toEqual([]);
  });
});

/**
 * A neighbour that shares even the process namespace, which the manifests forbid. What it can read goes through the
 * same sweep, as the signer's own user, as another one, and (the control) with the key mounted.
 */
describe('a neighbour in the same process namespace', { timeout: 180_000 }, () => {
  const look = (signer: string, user: string, ...more: string[]) =>
    docker(
      'run',
      '--rm',
      '--network=none',
      '--cap-drop=ALL',
      '--security-opt=no-new-privileges',
      `--pid=container:${signer}`,
      `--user=${user}`,
      '--env=BUN_BE_BUN=1',
      ...more,
      image,
      '--eval',
      sweep,
    );
  const summary = ({ stderr }: { stderr: string }) =>
    JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as {
      opened: number;
      processes: number;
      regions: number;
    };

  test.each(['65533:65533', '65532:65532'])('finds no key as user %s', async (user) => {
    using keys = temporaryDirectory();
    const key = randomBytes(32);
    writeVolume(keys.path, { orders: key });
    await using container = await startContainer(keys.path);
    sign(container);
    const found = look(container.id, user);
    expect(summary(found).opened).toBeGreaterThan(100);
    expect(summary(found).processes).toBeGreaterThan(0);
    expect(traces(found.stdout, key)).toEqual([]);
  });

  test('finds it where it is mounted (the control of the test above)', async () => {
    using keys = temporaryDirectory();
    const key = randomBytes(32);
    writeVolume(keys.path, { orders: key });
    await using container = await startContainer(keys.path);
    const found = look(container.id, '65533:65533', '--volume', `${keys.path}:/mnt:ro`);
    expect(traces(found.stdout, key)).toEqual(['raw']);
  });

  test('finds it in the memory of a process of the same user that is not the signer (the other control)', async () => {
    using keys = temporaryDirectory();
    const key = randomBytes(32);
    writeVolume(keys.path, { orders: key });
    chmodSync(keys.path, 0o755);
    const victim = docker(
      'run',
      '--detach',
      '--network=none',
      '--volume',
      `${keys.path}:/mnt:ro`,
      '--env=BUN_BE_BUN=1',
      image,
      '--eval',
      "globalThis.key = require('fs').readFileSync('/mnt/orders'); console.log('up'); setInterval(() => {}, 1e6)",
    )
      .stdout.toString()
      .trim();
    try {
      await waitFor(() => (docker('logs', victim).output.includes('up') ? true : undefined), 30_000);
      const found = look(victim, '65532:65532');
      expect(summary(found).regions).toBeGreaterThan(10);
      expect(traces(found.stdout, key)).toContain('raw');
    } finally {
      docker('rm', '--force', victim);
    }
  });
});

/** Tries to make a file in every directory from the root down; prints where it could. */
const tryToWrite = `
  const { readdirSync, writeFileSync, unlinkSync } = require('fs');
  const written = [];
  let directories = 0;
  const visit = (directory) => {
    directories++;
    const file = (directory === '/' ? '' : directory) + '/.written';
    try { writeFileSync(file, 'x'); written.push(directory); unlinkSync(file); } catch {}
    let entries = [];
    try { entries = readdirSync(directory, { withFileTypes: true }); } catch {}
    for (const each of entries) {
      const path = (directory === '/' ? '' : directory) + '/' + each.name;
      if (each.isDirectory() && !/^\\/(proc\\/\\d|sys\\/)/.test(path)) visit(path);
    }
  };
  visit('/');
  console.log(JSON.stringify({ directories, written }));
`;

function writable(directory: string): string {
  docker(
    'run',
    '--rm',
    '--user=0',
    '--env=BUN_BE_BUN=1',
    '--volume',
    `${directory}:/d`,
    image,
    '--eval',
    "require('fs').chmodSync('/d', 0o777)",
  );
  return directory;
}
