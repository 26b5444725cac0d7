/**
 * Key files that are no files, that may not be read, or that the system fails to read; clocks that jump and watches
 * that are deaf. Most of it needs root, strace, libfaketime or namespaces, and says so where it is left out.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  globSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { bytesRead, isRoot } from '../support/process.ts';
import { type Signer, waitFor } from '../support/signer.ts';
import { openScene, type Scene, swapIn, tagOf, writePlain } from './scene.ts';
import { hasStrace, tamper } from './strace.ts';

const succeeds = (command: string, ...args: readonly string[]): boolean =>
  spawnSync(command, args).status === 0;
const hasMounts = isRoot && succeeds('unshare', '-m', 'true');
const hasUserNamespaces = succeeds('unshare', '-Ur', 'true');
const [fakeTime] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');

/** A user that owns nothing, for a signer that root starts. */
const stranger = isRoot ? { uid: 65532, gid: 65532 } : {};

async function expectLastGood(scene: Scene, signer: Signer, key: Buffer): Promise<void> {
  expect((await scene.get(`${signer.opsUrl}/readyz`)).status).toBe(200);
  expect((await scene.sign(signer, 'demo')).body).toMatchObject({ signature: tagOf(key) });
}

describe('what is no file', () => {
  // Its path begins as that of the directory does.
  const outside = (path: string, scene: Scene) => {
    const file = `${scene.directory}.outside`;
    writeFileSync(file, scene.key());
    symlinkSync(relative(dirname(path), file), path);
  };
  const link = (target: string) => (path: string) => symlinkSync(target, path);
  const things: readonly (readonly [string, string, (path: string, scene: Scene) => unknown])[] = [
    ['K16', 'a FIFO', (path) => execFileSync('mkfifo', [path])],
    ['K16', 'a socket', (path) => createServer().listen(path).unref()],
    ['K16', 'a device', (path) => execFileSync('mknod', [path, 'c', '1', '5'])],
    ['K17', 'an absolute link out of the directory', link('/etc/hostname')],
    ['K17', 'a relative link out of the directory', outside],
    ['K17', 'a link to itself', link('bad')],
    ['K17', 'a dangling link', link('nothing')],
    ['K17', 'a link to the directory above', link('..')],
    ['K17', 'a link to a device', link('/dev/zero')],
  ];

  test.for(things)('%s %s is refused, in either layout', async ([, what, make], { skip }) => {
    skip(what === 'a device' && !isRoot, 'only root can make it');
    await using scene = openScene();
    const key = scene.key();
    const signer = await scene.serve({ demo: key });
    swapIn(scene.directory, (target) => {
      writeFileSync(join(target, 'demo'), scene.key());
      make(join(target, 'bad'), scene);
    });
    await scene.refused(signer, '"bad" is ');
    await expectLastGood(scene, signer, key);
    expect(await scene.check()).toMatchObject({ valid: false, keys: [] });

    writePlain(scene.directory, { demo: scene.key() });
    make(join(scene.directory, 'bad'), scene);
    const { valid, problems } = await scene.check();
    expect({ valid, problems }).toEqual({ valid: false, problems: [expect.stringContaining('"bad" is ')] });
  });

  test('K16 a directory is no key, and an empty one nothing', async () => {
    await using scene = openScene();
    const [demo, inner] = [scene.key(), scene.key()];
    writePlain(scene.directory, { demo });
    mkdirSync(join(scene.directory, 'directory'));
    mkdirSync(join(scene.directory, 'group'));
    writeFileSync(join(scene.directory, 'group', 'inner'), inner);
    const signer = await scene.start();
    await signer.ready();
    expect((await scene.sign(signer, 'group.inner')).body).toMatchObject({ signature: tagOf(inner) });
    expect((await scene.sign(signer, 'directory')).status).toBe(404);
  });

  test('K17 a link within a plain directory is followed', async () => {
    await using scene = openScene();
    const key = scene.key();
    writePlain(scene.directory, {});
    mkdirSync(join(scene.directory, '..mine'));
    writeFileSync(join(scene.directory, '..mine', 'v1'), key);
    symlinkSync('..mine/v1', join(scene.directory, 'demo'));
    const signer = await scene.start();
    await scene.signs(signer, 'demo', key);
  });

  test.for(['../../etc', '/etc', '.', '..', '..data'])('K17 ..data leads to %s', async (target) => {
    await using scene = openScene();
    const key = scene.key();
    const signer = await scene.serve({ demo: key });
    unlinkSync(join(scene.directory, '..data'));
    symlinkSync(target, join(scene.directory, '..data'));
    await waitFor(async () => (await scene.problems(signer)).length > 0 || undefined);
    await expectLastGood(scene, signer, key);
  });

  test('K09 a file of 5 GiB is refused, and no more of it is read than may be a key', async ({ skip }) => {
    skip(!isRoot, 'what another process has read is shown to root alone');
    await using scene = openScene();
    const key = scene.key();
    const signer = await scene.serve({ demo: key });
    const before = bytesRead(signer);
    swapIn(scene.directory, (target) => {
      writeFileSync(join(target, 'demo'), scene.key());
      truncateSync(join(target, 'demo'), 5 * 2 ** 30);
    });
    await scene.refused(signer, '"demo" is over 1048576 bytes');
    await expectLastGood(scene, signer, key);
    expect(bytesRead(signer) - before).toBeLessThan(4 * 2 ** 20);
  });
});

describe('permissions', () => {
  const modes = [
    { mode: 0o400, owner: 'the signer', notes: [] },
    { mode: 0o440, owner: 'the group', notes: [] },
    { mode: 0o644, owner: 'the group', notes: ['can read in'] },
    { mode: 0o666, owner: 'root', notes: ['can read and write in'] },
    { mode: 0o777, owner: 'root', notes: ['can read and write in'] },
    { mode: 0o622, owner: 'the signer', notes: ['can write in'] },
  ] as const;

  test.for(modes)(
    'K14 mode %o, of $owner: accepted, and check says who else may',
    async ({ mode, owner, notes }) => {
      await using scene = openScene();
      chmodSync(scene.path, 0o755);
      const key = scene.key();
      writePlain(scene.directory, { demo: key });
      const file = join(scene.directory, 'demo');
      const place = `${scene.directory}: demo`;
      if (isRoot) chownSync(file, owner === 'the signer' ? 65532 : 0, owner === 'the group' ? 65532 : 0);
      chmodSync(file, mode);
      const signer = await scene.start(stranger);
      await scene.signs(signer, 'demo', key);
      const report = await scene.check();
      expect(report.valid).toBe(true);
      expect(report.notes.filter((note) => note.endsWith(place))).toEqual(
        notes.map((note) => expect.stringContaining(note)),
      );
    },
  );

  test('K15 a file that may not be read: not ready, it says who asked, and takes it once it may', async () => {
    await using scene = openScene();
    chmodSync(scene.path, 0o755);
    const key = scene.key();
    writeVolume(scene.directory, { demo: key });
    const file = realpathSync(join(scene.directory, 'demo'));
    chmodSync(join(file, '..'), 0o755);
    chmodSync(file, 0);
    const signer = await scene.start(stranger);
    await scene.refused(signer, `"demo" cannot be read by uid ${stranger.uid ?? process.getuid?.()}`);
    expect(await scene.problems(signer)).toEqual([expect.stringContaining('mode 0000')]);
    expect(await scene.sign(signer, 'demo')).toMatchObject({ status: 503, body: { code: 'not_ready' } });
    chmodSync(file, 0o444);
    await scene.signs(signer, 'demo', key);
  });

  test('K15 a generation that may not be read: the last good keys stay', async () => {
    await using scene = openScene();
    chmodSync(scene.path, 0o755);
    const key = scene.key();
    swapIn(scene.directory, (target) => {
      writeFileSync(join(target, 'demo'), key);
      chmodSync(target, 0o755);
    });
    const signer = await scene.start(stranger);
    await signer.ready();
    for (const lock of [
      (target: string) => chmodSync(join(target, 'demo'), 0),
      (target: string) => chmodSync(target, 0),
    ]) {
      swapIn(scene.directory, (target) => {
        writeFileSync(join(target, 'demo'), scene.key());
        chmodSync(target, 0o755);
        lock(target);
      });
      await scene.refused(signer, 'cannot be read by uid');
      await expectLastGood(scene, signer, key);
    }
  });
});

describe('watches', () => {
  const withoutWatches = (limit: string) => [
    'unshare',
    '-Ur',
    'sh',
    '-c',
    `echo 0 > /proc/sys/user/${limit} && exec "$0" "$@"`,
  ];

  test.for(['max_inotify_instances', 'max_inotify_watches'])(
    'K21 there is none to be had (%s): the poll finds the change',
    async (limit, { skip }) => {
      skip(!hasUserNamespaces, 'needs user namespaces');
      await using scene = openScene();
      const [key, next] = [scene.key(), scene.key()];
      writeVolume(scene.directory, { demo: key });
      const signer = await scene.start({ wrapper: withoutWatches(limit) });
      await signer.ready();
      writeVolume(scene.directory, { demo: next });
      await scene.signs(signer, 'demo', next);
      expect((await scene.status(signer)).watcher).toBe('down');
    },
  );

  test('K21 more events than the queue holds: the change among them is found', {
    timeout: 60_000,
  }, async () => {
    await using scene = openScene();
    const [key, next, last] = [scene.key(), scene.key(), scene.key()];
    const signer = await scene.serve({ demo: key });
    await waitFor(async () => (await scene.status(signer)).watcher === 'up' || undefined);
    signer.process.kill('SIGSTOP');
    // The queue has 16,384 places by default.
    for (let index = 0; index < 10_000; index++) {
      const file = join(scene.directory, `..noise-${index}`);
      writeFileSync(file, '');
      unlinkSync(file);
    }
    writeVolume(scene.directory, { demo: next });
    signer.process.kill('SIGCONT');
    await scene.signs(signer, 'demo', next);
    writeVolume(scene.directory, { demo: last });
    await scene.signs(signer, 'demo', last);
  });
});

describe('mounts', () => {
  test('K07 the volume is unmounted: the last good keys stay, until it is mounted again', async ({
    skip,
  }) => {
    skip(!hasMounts, 'needs root');
    await using scene = openScene();
    const [key, next] = [scene.key(), scene.key()];
    mkdirSync(scene.directory);
    const mount = () => execFileSync('mount', ['-t', 'tmpfs', 'none', scene.directory]);
    mount();
    try {
      const signer = await scene.serve({ demo: key });
      execFileSync('umount', ['-l', scene.directory]);
      await waitFor(async () => (await scene.problems(signer)).length > 0 || undefined);
      await expectLastGood(scene, signer, key);
      mount();
      writeVolume(scene.directory, { demo: next });
      await scene.signs(signer, 'demo', next);
    } finally {
      spawnSync('umount', ['-l', scene.directory]);
    }
  });

  test('K24 a single file is mounted, as subPath does: a warning says that it will not follow', async ({
    skip,
  }) => {
    skip(!hasMounts, 'needs root');
    await using scene = openScene();
    const [key, whole] = [scene.key(), join(scene.path, 'whole')];
    writeVolume(whole, { demo: key });
    writePlain(scene.directory, { demo: '' });
    const file = join(scene.directory, 'demo');
    execFileSync('mount', ['--bind', realpathSync(join(whole, 'demo')), file]);
    try {
      const signer = await scene.start();
      await scene.signs(signer, 'demo', key);
      await waitFor(() => signer.output().includes('is a subPath mount') || undefined);
      const line =
        signer
          .output()
          .split('\n')
          .find((each) => each.includes('subPath')) ?? '';
      expect(JSON.parse(line)).toMatchObject({
        level: 'warn',
        msg: expect.stringContaining('mount the whole secret as a directory'),
      });
    } finally {
      execFileSync('umount', [file]);
    }
  });

  test('K24 the directory is a subPath mount: a warning says that it will not follow', async ({ skip }) => {
    skip(!hasMounts, 'needs root');
    await using scene = openScene();
    const [key, whole] = [scene.key(), join(scene.path, 'whole')];
    writeVolume(whole, { 'group/demo': key });
    mkdirSync(scene.directory);
    execFileSync('mount', ['--bind', realpathSync(join(whole, 'group')), scene.directory]);
    try {
      const signer = await scene.start();
      await scene.signs(signer, 'demo', key);
      await waitFor(() => signer.output().includes('is a subPath mount') || undefined);
      expect(signer.output()).toContain('will never follow an update');
    } finally {
      execFileSync('umount', [scene.directory]);
    }
  });
});

describe('a system that fails', () => {
  test.for([
    ['EIO', 'pread64:error=EIO'],
    ['EIO', 'openat:error=EIO'],
    ['ENFILE', 'openat:error=ENFILE'],
    ['EMFILE', 'openat:error=EMFILE'],
  ] as const)(
    'K23 %s by %s: the last good keys stay, and the next look finds the new ones',
    { timeout: 60_000 },
    async ([code, inject], { skip }) => {
      skip(!hasStrace, 'needs root and strace');
      await using scene = openScene();
      const [key, next] = [scene.key(), scene.key()];
      const signer = await scene.serve({ demo: key });
      await tamper(signer, inject, async () => {
        writeVolume(scene.directory, { demo: next });
        await scene.refused(signer, code);
        await expectLastGood(scene, signer, key);
      });
      await scene.signs(signer, 'demo', next);
      expect(await scene.problems(signer)).toEqual([]);
    },
  );

  test('K26 a file that takes seconds to read: requests are served meanwhile, and one reading is taken at a time', {
    timeout: 60_000,
  }, async ({ skip }) => {
    skip(!hasStrace, 'needs root and strace');
    await using scene = openScene();
    const [key, next, last] = [scene.key(), scene.key(), scene.key()];
    const signer = await scene.serve({ demo: key });
    const seconds = 6;
    await tamper(signer, `pread64:delay_enter=${seconds}s`, async () => {
      writeVolume(scene.directory, { demo: next });
      const until = performance.now() + (seconds - 2) * 1000;
      const times: number[] = [];
      while (performance.now() < until) {
        const started = performance.now();
        await expectLastGood(scene, signer, key);
        times.push(performance.now() - started);
      }
      expect(times.length).toBeGreaterThan(10);
      expect(Math.max(...times)).toBeLessThan((seconds - 2) * 1000);
      writeVolume(scene.directory, { demo: last });
    });
    await scene.signs(signer, 'demo', last);
    const { generation } = await scene.status(signer);
    expect(generation).toBeLessThanOrEqual(3);
    // The log may come after the answer.
    const loads = () => signer.output().match(/"msg":"keys loaded"/g)?.length;
    await waitFor(() => loads() === generation || undefined);
  });

  test('K22 the clock jumps a day ahead, a day back, and stands still: no change is missed', {
    timeout: 60_000,
  }, async ({ skip }) => {
    skip(!hasMounts || fakeTime === undefined, 'needs root and libfaketime');
    await using scene = openScene();
    const clock = join(scene.path, 'clock');
    const preload = join(scene.path, 'preload');
    writeFileSync(clock, '+0d');
    writeFileSync(preload, `${fakeTime}\n`);
    // The signer refuses LD_PRELOAD, as it should. What it cannot see is the loader's own file, in a namespace of its own.
    const script = [
      'mount -t tmpfs none /mnt',
      'mkdir /mnt/upper /mnt/work',
      'mount -t overlay none -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc',
      `cp ${preload} /etc/ld.so.preload`,
      `export FAKETIME_TIMESTAMP_FILE=${clock} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1`,
      'exec "$0" "$@"',
    ].join(' && ');
    const keys = Array.from({ length: 5 }, () => scene.key());
    writeVolume(scene.directory, { demo: keys[0] ?? '' });
    const signer = await scene.start({
      wrapper: ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script],
    });
    await signer.ready();
    const at = async () =>
      new Date(String((await scene.get(`${signer.opsUrl}/status`)).body['loadedAt'])).getTime();
    const day = 24 * 3600 * 1000;
    const jumps = [
      ['+1d', day],
      ['-1d', -day],
      ['2030-01-01 00:00:00', Date.UTC(2030, 0, 1) - Date.now()],
      ['+0d', 0],
    ] as const;
    for (const [index, [time, offset]] of jumps.entries()) {
      writeFileSync(clock, time);
      const key = keys[index + 1] ?? Buffer.alloc(0);
      writeVolume(scene.directory, { demo: key });
      await scene.signs(signer, 'demo', key);
      // The signer did see that clock.
      expect(Math.abs((await at()) - (Date.now() + offset))).toBeLessThan(day / 2);
    }
    expect(existsSync('/etc/ld.so.preload')).toBe(false);
  });
});
