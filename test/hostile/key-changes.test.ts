/** Key directories that come, change and go while a signer serves from them. */

import { createHmac } from 'node:crypto';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { isRoot, openFiles, watches } from '../support/process.ts';
import { type Signer, waitFor } from '../support/signer.ts';
import { openScene, type Scene, swapIn, tagOf, writePlain } from './scene.ts';

const notReady = { status: 503, body: { code: 'not_ready' } };

async function expectNotReady(scene: Scene, signer: Signer): Promise<void> {
  expect((await scene.get(`${signer.opsUrl}/readyz`)).status).toBe(503);
  expect(await scene.sign(signer, 'demo')).toMatchObject(notReady);
  expect(await scene.get(`${signer.url}/v1/keys`)).toMatchObject(notReady);
}

/** A caller who signs without pause, and the newest key that has signed for it. */
interface Caller {
  newest: number;
}

/** Signs until it is told to stop: every answer must be a signature by one of the keys, newest last. */
async function signUntil(
  stop: () => boolean,
  scene: Scene,
  signer: Signer,
  keys: readonly Buffer[],
  caller: Caller,
): Promise<void> {
  while (!stop()) {
    const { status, body } = await scene.sign(signer, 'demo');
    expect(status).toBe(200);
    const index = keys.findIndex((key) => tagOf(key) === body['signature']);
    expect(index, 'a key that was replaced signs again').toBeGreaterThanOrEqual(Math.max(caller.newest, 0));
    caller.newest = index;
  }
}

describe('at the start', () => {
  test('K01 a directory that is missing: not ready, until it appears', async () => {
    await using scene = openScene();
    const signer = await scene.start();
    await scene.refused(signer, 'does not exist');
    await expectNotReady(scene, signer);
    const key = scene.key();
    writeVolume(scene.directory, { demo: key });
    await scene.signs(signer, 'demo', key);
    expect((await scene.get(`${signer.opsUrl}/readyz`)).status).toBe(200);
  });

  test.for([
    ['empty', () => undefined],
    [
      'of names that begin with two dots',
      (directory: string) => {
        writeFileSync(join(directory, '..2026_11_24'), 'a key that is none, of 32 bytes..');
        mkdirSync(join(directory, '..dir'));
        writeFileSync(join(directory, '..dir', 'demo'), 'a key that is none, of 32 bytes..');
      },
    ],
    ['of an empty generation', (directory: string) => writeVolume(directory, {})],
    [
      'of a link to no generation',
      (directory: string) => symlinkSync('..2026_none', join(directory, '..data')),
    ],
  ] as const)('K02 a directory %s: not ready, until it has a key', async ([, fill]) => {
    await using scene = openScene();
    mkdirSync(scene.directory);
    fill(scene.directory);
    const signer = await scene.start();
    await waitFor(async () => (await scene.problems(signer)).length > 0 || undefined);
    await expectNotReady(scene, signer);
    expect(await scene.check()).toMatchObject({ valid: false, exitCode: 1, keys: [] });
    rmSync(join(scene.directory, '..data'), { force: true });
    const key = scene.key();
    writeVolume(scene.directory, { demo: key });
    await scene.signs(signer, 'demo', key);
  });

  test('K01 a file in place of the directory: not ready, and it says why', async () => {
    await using scene = openScene();
    writeFileSync(scene.directory, scene.key());
    const signer = await scene.start();
    await scene.refused(signer, 'not a directory');
    await expectNotReady(scene, signer);
  });
});

describe('swaps', () => {
  test('K03 under load: no request fails, and each is signed by one key, in order', {
    timeout: 60_000,
  }, async () => {
    await using scene = openScene();
    const keys = Array.from({ length: 21 }, () => scene.key());
    const write = (index: number) => writeVolume(scene.directory, { demo: keys[index] ?? '' });
    write(0);
    const signer = await scene.start();
    await signer.ready();
    let done = false;
    const callers = Array.from({ length: 8 }, (): Caller => ({ newest: -1 }));
    const load = Promise.all(callers.map((caller) => signUntil(() => done, scene, signer, keys, caller)));
    // Each of them signs with every key, on a slow machine as well.
    const rotation = async () => {
      for (const index of keys.keys()) {
        if (index > 0) write(index);
        await waitFor(() => callers.every(({ newest }) => newest === index) || undefined);
      }
    };
    await Promise.race([rotation(), load]);
    done = true;
    await load;
    expect(callers.map(({ newest }) => newest)).toEqual(callers.map(() => keys.length - 1));
    expect(await scene.status(signer)).toMatchObject({ generation: keys.length, problems: [] });
  });

  test('K04 a hundred of them, forth and back: the last counts, and nothing is left open', {
    timeout: 60_000,
  }, async () => {
    await using scene = openScene();
    const [a, b, last] = [scene.key(), scene.key(), scene.key()];
    const signer = await scene.serve({ demo: a });
    await waitFor(async () => (await scene.status(signer)).watcher === 'up' || undefined);
    const held = () => (isRoot ? { files: openFiles(signer).length, watches: watches(signer) } : undefined);
    const before = held();
    for (let index = 0; index < 100; index++) {
      writeVolume(scene.directory, { demo: index % 2 === 0 ? b : a });
      if (index % 10 === 0) await scene.sign(signer, 'demo');
    }
    await scene.signs(signer, 'demo', a);
    writeVolume(scene.directory, { demo: last });
    await scene.signs(signer, 'demo', last);
    // Connections of the test itself come and go.
    await waitFor(() => {
      const after = held();
      return before === undefined || after === undefined
        ? true
        : (after.watches <= before.watches && after.files <= before.files + 4) || undefined;
    });
    expect((await scene.status(signer)).problems).toEqual([]);
  });

  test('K05 files that belong together are never taken from two generations', {
    timeout: 60_000,
  }, async () => {
    await using scene = openScene();
    const id = (key: Buffer) =>
      createHmac('sha256', key).update('sidecar-signer key id').digest('hex').slice(0, 16);
    const pairs = Array.from({ length: 200 }, () => ({ a: scene.key(), b: scene.key() }));
    const partner = new Map(pairs.map(({ a, b }) => [id(a), id(b)]));
    const signer = await scene.serve(pairs[0] ?? {});
    const seen = new Set<string>();
    for (const pair of pairs) {
      writeVolume(scene.directory, pair);
      const { body } = await scene.get(`${signer.url}/v1/keys`);
      const [a, b] = body['keys'] as readonly { name: string; primary: string }[];
      expect([a?.name, b?.name]).toEqual(['a', 'b']);
      expect(b?.primary).toBe(partner.get(a?.primary ?? ''));
      seen.add(a?.primary ?? '');
    }
    expect(seen.size, 'generations seen').toBeGreaterThan(3);
  });
});

describe('removal', () => {
  test('K07 the directory is deleted: the last good keys stay, and it is taken up again', async () => {
    await using scene = openScene();
    const [key, next] = [scene.key(), scene.key()];
    const signer = await scene.serve({ demo: key });
    rmSync(scene.directory, { recursive: true });
    await scene.refused(signer, 'does not exist');
    expect(signer.output()).toContain('keys not loaded: the last good keys stay in use');
    expect((await scene.sign(signer, 'demo')).body).toMatchObject({ signature: tagOf(key) });
    expect((await scene.get(`${signer.opsUrl}/readyz`)).status).toBe(200);
    writeVolume(scene.directory, { demo: next });
    await scene.signs(signer, 'demo', next);
  });

  test('K07 another directory is put in its place', async () => {
    await using scene = openScene();
    const [key, next, last] = [scene.key(), scene.key(), scene.key()];
    const signer = await scene.serve({ demo: key });
    writeVolume(`${scene.directory}.new`, { demo: next });
    renameSync(scene.directory, `${scene.directory}.old`);
    renameSync(`${scene.directory}.new`, scene.directory);
    await scene.signs(signer, 'demo', next);
    writeVolume(`${scene.directory}.old`, { demo: scene.key() });
    writeVolume(scene.directory, { demo: last });
    await scene.signs(signer, 'demo', last);
  });

  test('K08 a key is removed: it signs and verifies no more, the others do', async () => {
    await using scene = openScene();
    const [demo, other] = [scene.key(), scene.key()];
    const signer = await scene.serve({ demo, other });
    writeVolume(scene.directory, { other });
    await waitFor(async () => (await scene.sign(signer, 'demo')).status === 404 || undefined);
    const verify = { message: 'hello', signature: tagOf(demo) };
    const body = JSON.stringify(verify);
    expect((await scene.get(`${signer.url}/v1/keys/demo/verify`, { method: 'POST', body })).status).toBe(404);
    expect((await scene.sign(signer, 'other')).body).toMatchObject({ signature: tagOf(other) });
  });

  test('K08 every key is removed: that is no set of keys, and the last good one stays', async () => {
    await using scene = openScene();
    const key = scene.key();
    const signer = await scene.serve({ demo: key });
    writeVolume(scene.directory, {});
    await scene.refused(signer, 'holds no file');
    expect((await scene.sign(signer, 'demo')).body).toMatchObject({ signature: tagOf(key) });
  });
});

describe('plain files', () => {
  const changes: Readonly<Record<string, (file: string, key: Buffer) => void>> = {
    'written over in place': (file, key) => writeFileSync(file, key),
    'truncated, and written in parts that are no key': (file, key) => {
      truncateSync(file, 0);
      for (let at = 0; at < 12; at += 3) appendFileSync(file, key.subarray(at, at + 3));
      appendFileSync(file, key.subarray(12));
    },
    'replaced by a rename': (file, key) => {
      writeFileSync(`${file}.tmp-`, key);
      renameSync(`${file}.tmp-`, file);
    },
    'written over, its length and time of modification unchanged': (file, key) => {
      const { atime, mtime } = statSync(file);
      writeFileSync(file, key);
      utimesSync(file, atime, mtime);
    },
    'removed and made anew': (file, key) => {
      rmSync(file);
      writeFileSync(file, key);
    },
    'replaced by another name of the same file': (file, key) => {
      writeFileSync(`${file}.tmp-`, key);
      rmSync(file);
      linkSync(`${file}.tmp-`, file);
      rmSync(`${file}.tmp-`);
    },
  };

  test('K20 each way of replacing a file is found, and no part of one is ever a key', {
    timeout: 60_000,
  }, async () => {
    await using scene = openScene();
    const keys = [scene.key(), ...Object.keys(changes).map(() => scene.key())];
    writePlain(scene.directory, { demo: keys[0] ?? '' });
    const signer = await scene.start();
    await signer.ready();
    let done = false;
    const caller: Caller = { newest: -1 };
    const load = signUntil(() => done, scene, signer, keys, caller);
    for (const [index, [what, write]] of Object.entries(changes).entries()) {
      const key = keys[index + 1] ?? Buffer.alloc(0);
      write(join(scene.directory, 'demo'), key);
      const found = waitFor(() => caller.newest === index + 1 || undefined).catch((cause) => {
        throw new Error(`not found: ${what}`, { cause });
      });
      await Promise.race([found, load]);
    }
    done = true;
    await load;
    expect(caller.newest).toBe(keys.length - 1);
  });

  test('K20 a file that stays truncated is refused, and the last good key stays', async () => {
    await using scene = openScene();
    const key = scene.key();
    writePlain(scene.directory, { demo: key });
    const signer = await scene.start();
    await signer.ready();
    truncateSync(join(scene.directory, 'demo'), 12);
    await scene.refused(signer, '"demo" is 12 bytes long');
    expect((await scene.sign(signer, 'demo')).body).toMatchObject({ signature: tagOf(key) });
    writeFileSync(join(scene.directory, 'demo'), key);
    await waitFor(async () => (await scene.problems(signer)).length === 0 || undefined);
  });
});

describe('the end', () => {
  test('K25 SIGTERM while keys are loaded: exit code 0, whenever it comes', { timeout: 60_000 }, async () => {
    await using scene = openScene();
    for (let round = 0; round < 5; round++) {
      writeVolume(scene.directory, { demo: scene.key() });
      const signer = await scene.start();
      if (round > 0) await signer.ready();
      const files = Object.fromEntries(
        Array.from({ length: 500 }, (_, i) => [`key-${i}`, Buffer.alloc(32, `${i} `)]),
      );
      swapIn(scene.directory, (target) => {
        for (const [name, content] of Object.entries(files)) writeFileSync(join(target, name), content);
      });
      expect(await signer.stop()).toBe(0);
      expect(signer.output()).toContain('"msg":"stopped"');
    }
  });

  test('K25 SIGKILL while keys are loaded: the next signer starts, on the same socket', {
    timeout: 60_000,
  }, async () => {
    await using scene = openScene();
    const socket = join(scene.path, 'socket');
    for (let round = 0; round < 5; round++) {
      writeVolume(scene.directory, { demo: scene.key() });
      const signer = await scene.start({}, ['--socket', socket]);
      if (round > 0) await signer.ready();
      const next = scene.key();
      writeVolume(scene.directory, { demo: next });
      const exited = new Promise((resolve) => signer.process.once('exit', resolve));
      signer.process.kill('SIGKILL');
      await exited;
      expect(statSync(socket).isSocket(), 'the dead one left it behind').toBe(true);
      const after = await scene.start({}, ['--socket', socket]);
      await scene.signs(after, 'demo', next);
      expect(await after.stop()).toBe(0);
    }
  });
});
