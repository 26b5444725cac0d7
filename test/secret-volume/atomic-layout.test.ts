/** Table A: the kubelet's layout, swapped whole by a link. */

import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { VolumeError } from '../../src/secret-volume/index.ts';
import { noPoll, quickPoll, scenarios, texts, until } from '../support/scenario.ts';

const { row, end } = scenarios('A', 21);

row(
  'A1',
  'reads the whole volume at start',
  async ({ directory, writer, open }) => {
    await writer.write(directory, { a: '1', b: '1' });
    const reading = await open().volume.ready();
    expect(texts(reading)).toEqual({ a: '1', b: '1' });
    expect(reading).toMatchObject({ names: ['a', 'b'], generation: 1, layout: 'atomic' });
  },
  { polled: true },
);

row(
  'A2',
  'follows a swap with one change',
  async ({ directory, writer, open }) => {
    await writer.write(directory, { a: '1', b: '1' });
    const { volume, changes, reaches } = open();
    await volume.ready();
    await writer.write(directory, { a: '2', b: '2' });
    await reaches(2);
    expect(texts(volume.current)).toEqual({ a: '2', b: '2' });
    expect(changes.slice(1)).toEqual([{ generation: 2, added: [], removed: [], modified: ['a', 'b'] }]);
  },
  { polled: true },
);

row('A3', 'never mixes two generations in 400 swaps', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '0', b: '0' });
  let readings = 0;
  const torn: string[] = [];
  const { volume } = open({
    parse: (reading) => {
      readings++;
      const { a, b } = texts(reading);
      if (a !== b) torn.push(`${a}/${b}`);
      return Number(a);
    },
  });
  await volume.ready();
  const storm = writer.storm(directory, ['a', 'b'], 1, 400, 20);
  await whilePending(storm, () => volume.refresh());
  await until(() => volume.current === 400);
  expect(torn).toEqual([]);
  expect(readings).toBeGreaterThan(50);
});

row('A4', 'would mix generations if it read the visible links', async ({ directory, writer }) => {
  await writer.write(directory, { a: '0', b: '0' });
  const read = (name: string) => readFile(join(directory, name), 'utf8').catch(() => undefined);
  let torn = 0;
  const storm = writer.storm(directory, ['a', 'b'], 1, 400, 20);
  await whilePending(storm, async () => {
    const a = await read('a');
    const b = await read('b');
    if (a !== undefined && b !== undefined && a !== b) torn++;
  });
  expect(torn).toBeGreaterThan(0);
});

row('A5', 'does not take a half-removed generation for a smaller one', async (scene) => {
  const { directory, writer } = scene;
  const payload = (value: number) => ({ a: String(value), b: String(value), c: String(value) });
  await writer.write(directory, payload(0));
  const reader = scene.reader();
  const { pid } = reader.process;
  await reader.call.open(directory, quickPoll);
  await until(() => reader.call.healthy());
  await reader.call.hammer();
  for (let round = 1; round <= 60; round++) {
    // It reads all the time, so now and then it is stopped between its choice of a directory and the listing of it.
    reader.process.kill('SIGSTOP');
    await until(() => /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
    await writer.begin(directory, payload(round), 'swapped');
    await writer.proceed(directory, 'removing');
    reader.process.kill('SIGCONT');
    await until(async () => (await reader.call.state()).files?.['c'] === String(round));
    await writer.finish(directory);
  }
  const { changes, problems } = await reader.call.state();
  expect(changes.flatMap(({ removed }) => removed)).toEqual([]);
  expect(problems).toEqual([]);
});

row('A6', 'has a new key before its link is visible', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const { volume, reaches } = open();
  await volume.ready();
  await writer.begin(directory, { a: '1', fresh: '2' }, 'swapped');
  await reaches(2);
  expect(existsSync(join(directory, 'fresh'))).toBe(false);
  expect(texts(volume.current)).toEqual({ a: '1', fresh: '2' });
});

row('A7', 'sees nothing of an update before the swap', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const { volume, changes, problems, looked, reaches } = open();
  await volume.ready();
  await writer.begin(directory, { a: '2', c: '2' }, 'staged');
  await looked();
  expect(texts(volume.current)).toEqual({ a: '1' });
  await writer.finish(directory);
  await reaches(2);
  await looked();
  expect(changes.slice(1)).toEqual([{ generation: 2, added: ['c'], removed: [], modified: ['a'] }]);
  expect(problems).toEqual([]);
});

row('A8', 'bears links that lead nowhere yet', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const { volume, problems, looked, reaches } = open();
  await volume.ready();
  await writer.begin(directory, { a: '1', fresh: '2' }, 'linked', { linksFirst: true });
  expect(lstatSync(join(directory, 'fresh')).isSymbolicLink()).toBe(true);
  await looked();
  expect(texts(volume.current)).toEqual({ a: '1' });
  await writer.finish(directory);
  await reaches(2);
  expect(texts(volume.current)).toEqual({ a: '1', fresh: '2' });
  expect(problems).toEqual([]);
});

row(
  'A9',
  'tells which names were added and removed',
  async ({ directory, writer, open }) => {
    await writer.write(directory, { a: '1' });
    const { volume, changes, reaches } = open();
    await volume.ready();
    await writer.write(directory, { a: '1', c: '1' });
    await reaches(2);
    await writer.write(directory, { a: '1' });
    await reaches(3);
    expect(changes).toEqual([
      { generation: 1, added: ['a'], removed: [], modified: [] },
      { generation: 2, added: ['c'], removed: [], modified: [] },
      { generation: 3, added: [], removed: ['c'], modified: [] },
    ]);
  },
  { polled: true },
);

row('A10', 'takes dotfiles and nested files for keys', async ({ directory, writer, open }) => {
  await writer.write(directory, { '.secret-file': 'dot', 'x/y/z': 'nested' });
  const reading = await open().volume.ready();
  expect(texts(reading)).toEqual({ '.secret-file': 'dot', 'x/y/z': 'nested' });
});

row('A11', 'follows a file that becomes a directory and back', async ({ directory, writer, open }) => {
  await writer.write(directory, { x: '1' });
  const { volume, reaches } = open();
  expect(texts(await volume.ready())).toEqual({ x: '1' });
  await writer.write(directory, { 'x/y': '2' });
  await reaches(2);
  expect(texts(volume.current)).toEqual({ 'x/y': '2' });
  await writer.write(directory, { x: '3' });
  await reaches(3);
  expect(texts(volume.current)).toEqual({ x: '3' });
});

row('A12', 'tells nothing of an update that changes nothing', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const { volume, changes, looked } = open();
  await volume.ready();
  for (let sync = 0; sync < 3; sync++) await writer.write(directory, { a: '1' });
  await looked();
  expect(changes).toHaveLength(1);
});

row('A13', 'does not notice files that were not asked for', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1', token: 't1' });
  const { volume, changes, looked } = open({ required: ['a'] });
  expect((await volume.ready()).names).toEqual(['a']);
  await writer.write(directory, { a: '1', token: 't2' });
  await looked();
  expect(changes).toHaveLength(1);
  expect(volume.health.generation).toBe(1);
});

row('A14', 'tells nothing of changed modes, owners and times', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const { volume, changes, problems, looked } = open();
  await volume.ready();
  const target = join(directory, readlinkSync(join(directory, '..data')));
  for (const path of [directory, target, join(target, 'a')]) {
    const { mode, uid, gid } = statSync(path);
    chmodSync(path, mode ^ 0o011);
    chownSync(path, uid, gid);
    utimesSync(path, 1, 1);
  }
  await looked();
  expect(changes).toHaveLength(1);
  expect(problems).toEqual([]);
});

row('A15', 'knows a new directory with the same bytes', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const before = readlinkSync(join(directory, '..data'));
  const { volume, changes, looked, reaches } = open();
  await volume.ready();
  await writer.write(directory, { a: '1' }, { always: true });
  expect(readlinkSync(join(directory, '..data'))).not.toBe(before);
  await looked();
  expect(changes).toHaveLength(1);
  await writer.write(directory, { a: '2' });
  await reaches(2);
  expect(texts(volume.current)).toEqual({ a: '2' });
});

row('A16', 'ignores what an interrupted update left behind', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const orphan = '..2999_01_01_00_00_00.123';
  await writer.fs('mkdirSync', join(directory, orphan));
  await writer.fs('writeFileSync', join(directory, orphan, 'a'), 'EVIL');
  await writer.fs('symlinkSync', orphan, join(directory, '..data_tmp'));
  const { volume, looked } = open();
  expect(texts(await volume.ready())).toEqual({ a: '1' });
  await looked();
  expect(texts(volume.current)).toEqual({ a: '1' });
});

row('A17', 'keeps the last good reading of a secret that was emptied', async (scene) => {
  const { directory, writer, open } = scene;
  await writer.write(directory, { a: '1' });
  const { volume, codes, looked, reaches } = open();
  await volume.ready();
  await writer.write(directory, {});
  await until(() => volume.health.rejected > 0);
  await looked();
  expect(texts(volume.current)).toEqual({ a: '1' });
  expect(volume.health.rejected).toBe(1);
  expect(codes()).toEqual(['empty']);
  await writer.write(directory, { a: '3' });
  await reaches(2);
  expect(texts(volume.current)).toEqual({ a: '3' });
  expect(volume.health.problem).toBeUndefined();
});

row('A18', 'reads once more after a load, however often the volume changed', async (scene) => {
  const { directory, writer, open } = scene;
  await writer.write(directory, { a: '0' });
  const parsed: string[] = [];
  let gate = Promise.resolve();
  const hints: (() => void)[] = [];
  const { volume, firstPoll } = open({
    ...noPoll,
    watch: (_, { up, hint }) => {
      hints.push(hint);
      queueMicrotask(up);
      return { close: async () => undefined };
    },
    parse: async (reading) => {
      parsed.push(reading.text('a'));
      await gate;
      return parsed.at(-1);
    },
  });
  await volume.ready();
  await until(() => volume.health.watcher === 'up');
  await firstPoll();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  await writer.write(directory, { a: '1' });
  hints[0]?.();
  await until(() => parsed.length === 2);
  for (let value = 2; value <= 6; value++) {
    await writer.write(directory, { a: String(value) });
    hints[0]?.();
  }
  resolve();
  await until(() => volume.current === '6');
  expect(parsed).toEqual(['0', '1', '6']);
});

row('A19', 'takes a change undone between two looks for none', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: 'A' });
  // It looks when it is told to, and never in between.
  const { volume, changes, reaches } = open({ ...noPoll, watch: false });
  await volume.ready();
  await writer.write(directory, { a: 'B' });
  await writer.write(directory, { a: 'A' });
  const { lastSuccess } = volume.health;
  volume.refresh();
  await until(() => volume.health.lastSuccess !== lastSuccess);
  expect(volume.health.generation).toBe(1);
  await writer.write(directory, { a: 'C' });
  volume.refresh();
  await reaches(2);
  expect(changes).toHaveLength(2);
  expect(texts(volume.current)).toEqual({ a: 'C' });
});

const hostileTargets = [
  '../../etc',
  '/etc',
  '.',
  '..',
  '../elsewhere',
  '..elsewhere',
  '..data',
  '..2026/../x',
];
row('A20', 'follows no link out of the volume', async ({ directory, elsewhere, writer, open }) => {
  await writer.write(directory, { a: '1' });
  await writer.fs('writeFileSync', join(elsewhere, 'a'), 'EVIL');
  await writer.fs('symlinkSync', elsewhere, join(directory, '..elsewhere'));
  const good = readlinkSync(join(directory, '..data'));
  const { volume } = open();
  await volume.ready();
  const problem = () => volume.health.problem?.problems[0]?.code;
  const pointDataAt = async (target: string) => {
    await writer.fs('symlinkSync', target, join(directory, '..data_tmp'));
    await writer.fs('renameSync', join(directory, '..data_tmp'), join(directory, '..data'));
  };
  for (const target of hostileTargets) {
    await pointDataAt(target);
    await until(() => problem() !== undefined);
    expect([target, problem()]).toEqual([target, 'bad_layout']);
    await pointDataAt(good);
    await until(() => problem() === undefined);
  }
  await writer.fs('symlinkSync', '/etc/passwd', join(directory, good, 'b'));
  volume.refresh();
  await until(() => problem() !== undefined);
  expect(volume.health.problem).toEqual(
    new VolumeError([
      { code: 'not_a_file', name: 'b', message: '"b" is a link that leads out of the directory or nowhere' },
    ]),
  );
  expect(texts(volume.current)).toEqual({ a: '1' });
  expect(volume.health.generation).toBe(1);
});

row('A21', 'does not judge a generation by its time', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  const { volume, reaches } = open();
  await volume.ready();
  const stamp = '..1999_01_01_00_00_00';
  await writer.begin(directory, { a: '2' }, 'written', { stamp });
  const [written = ''] = readdirSync(directory).filter((name) => name.startsWith(stamp));
  utimesSync(join(directory, written), 915_148_800, 915_148_800);
  await writer.finish(directory);
  await reaches(2);
  expect(texts(volume.current)).toEqual({ a: '2' });
});

end();

/** Repeats an act until the promise settles; rejects as it does. */
async function whilePending(promise: Promise<unknown>, act: () => unknown): Promise<void> {
  let pending = true;
  const done = promise.finally(() => {
    pending = false;
  });
  while (pending) {
    await act();
    await setImmediate();
  }
  await done;
}
