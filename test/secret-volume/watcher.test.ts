/** Table B: watchers that fail, go deaf or never start, directories that come and go, and what closing means. */

import { existsSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { HintEvents, HintSource } from '../../src/secret-volume/index.ts';
import type { Reader } from '../support/reader-process.ts';
import {
  noPoll,
  quickPoll,
  type Scene,
  scenarios,
  texts,
  until,
  withProcessWarnings,
} from '../support/scenario.ts';

const { row, end } = scenarios('B', 15);
const onBun = process.versions['bun'] !== undefined;

for (const [name, limit, error] of [
  ['B1', 'max_inotify_instances', 'EMFILE'],
  ['B2', 'max_inotify_watches', 'ENOSPC'],
] as const) {
  row(
    name,
    `polls where no watch can be had (${error})`,
    async (scene) => {
      const reader = await unwatchableReader(scene, limit);
      await scene.writer.write(scene.directory, { a: '2' });
      await until(async () => (await reader.call.state()).files?.['a'] === '2');
      const { health, problems, faults } = await reader.call.state();
      expect(health).toMatchObject({ watcher: 'down', rescuedByPoll: 0, generation: 2 });
      expect([...problems, ...faults]).toEqual([]);
      await until(async () => (await reader.call.state()).watcherStates.length > 0);
      expect((await reader.call.state()).watcherStates).toEqual(['down']);
      expect(reader.errors()).toBe('');
    },
    { needs: ['user namespaces'] },
  );
}

row(
  'B3',
  'watches as soon as a watch can be had again',
  async (scene) => {
    const reader = await unwatchableReader(scene, 'max_inotify_instances', noPoll);
    await until(async () => (await reader.call.state()).watcherStates.length > 0);
    await reader.call.write('/proc/sys/user/max_inotify_instances', '128');
    await until(async () => (await reader.call.state()).health.watcher === 'up');
    await until(async () => (await reader.call.state()).watcherStates.length > 1);
    expect((await reader.call.state()).watcherStates).toEqual(['down', 'up']);
    await scene.writer.write(scene.directory, { a: '2' });
    await until(async () => (await reader.call.state()).files?.['a'] === '2');
    const { health } = await reader.call.state();
    expect(health.rescuedByPoll).toBe(0);
    expect(health.watcherRestarts).toBeGreaterThan(0);
  },
  { needs: ['user namespaces'] },
);

row('B4', 'finds an update whose event was lost in an overflow', async (scene) => {
  const reader = await overflowedReader(scene, quickPoll);
  await until(async () => (await reader.call.state()).files?.['a'] === '2');
  // Node has one inotify queue for all watches of a process and is not told that it ran over.
  if (!onBun) await until(async () => (await reader.call.state()).health.rescuedByPoll === 1);
  expect((await reader.call.state()).health.generation).toBe(2);

  if (onBun) return;
  const control = await overflowedReader(scene, noPoll);
  let noises = -1;
  await until(async () => {
    const before = noises;
    ({ noises } = await control.call.state());
    return noises === before;
  });
  expect((await control.call.state()).files).toEqual({ a: '1' });
  await control.call.refresh();
  await until(async () => (await control.call.state()).files?.['a'] === '2');
});

row('B5', 'replaces a watcher that has gone deaf', async ({ directory, writer, open }) => {
  const deaf = recordedSource((events) => queueMicrotask(events.up));
  await writer.write(directory, { a: '1' });
  const { volume, looked, reaches } = open({ ...quickPoll, watch: deaf.source });
  await volume.ready();
  await until(() => volume.health.watcher === 'up');
  // A watcher that gets up causes one look, which must not be the one that finds the change.
  await looked();
  await writer.write(directory, { a: '2', b: '2' });
  await reaches(2);
  await until(() => volume.health.rescuedByPoll === 1);
  await until(() => volume.health.watcherRestarts === 1 && volume.health.watcher === 'up');
  await writer.write(directory, { b: '3' });
  await reaches(3);
  expect(texts(volume.current)).toEqual({ b: '3' });
  await until(() => deaf.live() === 1);
});

row('B6', 'starts one watcher at a time, and later each time', async ({ directory, writer, open }) => {
  const startedAt: number[] = [];
  let live = 0;
  let mostLive = 0;
  const failing: HintSource = (_, events) => {
    startedAt.push(performance.now());
    mostLive = Math.max(mostLive, ++live);
    // Up, and then the same failure ten times over; on every other start at once, even before it has returned.
    const fail = () => {
      events.up();
      for (let times = 0; times < 10; times++) events.down();
    };
    if (startedAt.length % 2 === 0) fail();
    else queueMicrotask(fail);
    return {
      close: async () => {
        live--;
      },
    };
  };
  await writer.write(directory, { a: '1' });
  const { volume } = open({ ...quickPoll, watch: failing });
  await until(() => startedAt.length === 5);
  const waits = startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0));
  expect(mostLive).toBe(1);
  // Doubled each time, give or take 20 %: the fourth is at least 4 times the first.
  expect(waits[3]).toBeGreaterThan(4 * 160);
  expect(volume.health.watcherRestarts).toBe(4);
  await volume.close();
  expect(live).toBe(0);
});

row('B13', 'renews a watcher that could remember too much', async ({ directory, writer, open }) => {
  const opened: HintEvents[] = [];
  const recorded = recordedSource((events) => {
    opened.push(events);
    events.up();
  });
  await writer.write(directory, { a: '1' });
  const { volume } = open({ ...noPoll, watch: recorded.source });
  await Promise.all([volume.ready(), until(() => opened.length === 1)]);
  for (let hints = 0; hints < 2000; hints++) opened[0]?.hint();
  await until(() => opened.length === 2 && recorded.live() === 1);
  await writer.write(directory, { a: '2' });
  opened[1]?.hint();
  await until(() => texts(volume.current)['a'] === '2');
  // Nothing was wrong with the one before.
  expect(volume.health).toMatchObject({ watcher: 'up', watcherRestarts: 0, rescuedByPoll: 0 });
});

row('B7', 'does not believe a watcher that is ready after an error', async ({ directory, writer, open }) => {
  const failed = recordedSource((events) =>
    queueMicrotask(() => {
      events.down();
      events.up();
    }),
  );
  await writer.write(directory, { a: '1' });
  const { volume, looked } = open({ ...quickPoll, watch: failed.source });
  await volume.ready();
  await looked();
  expect(failed.starts()).toBeGreaterThan(0);
  expect(volume.health.watcher).toBe('down');
});

row('B8', 'waits for a directory that is mounted late', async ({ directory, writer, open }) => {
  // It polls each second until there is something to watch; from then on only an event can tell.
  const { volume, codes, looked, reaches } = open(noPoll);
  await looked();
  expect(codes()).toEqual(['missing']);
  expect(volume.current).toBeUndefined();
  await writer.write(directory, { a: '1' });
  expect(texts(await volume.ready())).toEqual({ a: '1' });
  await until(() => volume.health.watcher === 'up');
  await writer.write(directory, { a: '2' });
  await reaches(2);
  expect(volume.health.problem).toBeUndefined();
});

row('B9', 'keeps the last good reading of a directory that is gone', async (scene) => {
  const { directory, writer, open } = scene;
  await writer.write(directory, { a: '1' });
  const { volume, codes, looked, reaches } = open(quickPoll);
  await volume.ready();
  await writer.fs('rmSync', directory, { recursive: true });
  const watcherStates: string[] = [];
  volume.onWatcher((state) => watcherStates.push(state));
  await until(() => volume.health.problem !== undefined);
  const goneAt = performance.now();
  await until(async () => {
    await looked();
    return performance.now() - goneAt > 3000;
  });
  expect(codes()).toContain('missing');
  // The problem says it all.
  expect(watcherStates).toEqual([]);
  expect(texts(volume.current)).toEqual({ a: '1' });
  await writer.write(directory, { a: '2' });
  await reaches(2);
  await writer.write(directory, { a: '3' });
  await reaches(3);
  expect(texts(volume.current)).toEqual({ a: '3' });
  await until(() => volume.health.watcher === 'up' && volume.health.problem === undefined);
});

row('B9', 'watches anew a directory that went away and came back', async ({ directory, writer, open }) => {
  const deaf = recordedSource((events) => queueMicrotask(events.up));
  await writer.write(directory, { a: '1' });
  const { volume, codes } = open({ ...quickPoll, watch: deaf.source });
  await volume.ready();
  await until(() => volume.health.watcher === 'up');
  renameSync(directory, `${directory}.away`);
  await until(() => volume.health.problem !== undefined);
  expect(codes()).toEqual(['missing']);
  expect(deaf.starts()).toBe(1);
  renameSync(`${directory}.away`, directory);
  await until(() => volume.health.problem === undefined && deaf.starts() === 2);
  expect(volume.health).toMatchObject({ generation: 1, watcherRestarts: 1, rescuedByPoll: 0 });
});

row('B10', 'moves to a directory that was put in its place', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  await writer.write(`${directory}.new`, { a: '2' });
  const { volume, changes, looked, reaches } = open(quickPoll);
  await volume.ready();
  renameSync(directory, `${directory}.old`);
  renameSync(`${directory}.new`, directory);
  await reaches(2);
  await writer.write(directory, { a: '3' });
  await reaches(3);
  await writer.write(`${directory}.old`, { a: 'old' });
  await looked();
  expect(texts(volume.current)).toEqual({ a: '3' });
  expect(changes).toHaveLength(3);
});

row(
  'B11',
  'moves to a volume that was mounted over it',
  async ({ directory, elsewhere, writer, reader }) => {
    const other = join(elsewhere, 'other');
    await writer.write(directory, { a: '1' });
    await writer.write(other, { a: '2' });
    const { call } = reader({ within: ['unshare', '-m'] });
    await call.open(directory, quickPoll);
    await until(async () => (await call.state()).health.watcher === 'up');
    await call.exec('mount', '--bind', other, directory);
    await until(async () => (await call.state()).files?.['a'] === '2');
    await until(async () => (await call.state()).health.watcher === 'up');
    await writer.write(other, { a: '3' });
    await until(async () => (await call.state()).files?.['a'] === '3');
    expect((await call.state()).health.watcherRestarts).toBeGreaterThan(0);
  },
  { needs: ['mount namespaces'] },
);

row('B12', 'is silent once closed, and lets the process end', async (scene) => {
  const { directory, writer, open, reader } = scene;
  await writer.write(directory, { a: '1' });
  const gate = Promise.withResolvers<void>();
  let parsing = false;
  const loading = open({
    ...quickPoll,
    parse: async () => {
      parsing = true;
      await gate.promise;
      return 'too late';
    },
  });
  await until(() => parsing);
  await Promise.all([loading.volume.close(), loading.volume.close()]);
  gate.resolve();
  await expect(loading.volume.ready()).rejects.toThrow('closed before it was ready');
  const failed = recordedSource((events) => queueMicrotask(events.down));
  const backingOff = open({ ...quickPoll, watch: failed.source });
  await until(() => failed.starts() > 0);
  await backingOff.volume.close();
  await writer.write(directory, { a: '2' });

  for (const watch of [{}, { watch: false as const }]) {
    const program = reader();
    await program.call.open(directory, { ...quickPoll, ...watch });
    await until(() => program.call.healthy());
    await program.call.close();
    await program.call.close();
    expect(await program.end()).toBe(0);
    expect(program.errors()).toBe('');
  }
  for (const { changes, problems, volume } of [loading, backingOff]) {
    expect(changes.filter(({ generation }) => generation > volume.health.generation)).toEqual([]);
    expect(problems).toEqual([]);
  }
  expect(loading.volume.current).toBeUndefined();
  expect(loading.changes).toEqual([]);
});

row('B13', 'leaks no descriptor, watch or memory', async ({ directory, writer, reader }) => {
  await writer.write(directory, { a: '0', b: '0' });
  const { call } = reader();
  await call.cycle(directory, 5);
  const before = await call.resources();
  await call.cycle(directory, 195);
  const cycled = await call.resources();
  expect(cycled.descriptors).toBeLessThanOrEqual(before.descriptors + 1);
  expect(cycled.watches).toBeLessThanOrEqual(before.watches);
  expect(cycled.rssBytes - before.rssBytes).toBeLessThan(64 * 2 ** 20);

  await call.open(directory);
  await until(async () => (await call.state()).health.watcher === 'up');
  const held = await call.resources();
  expect(held.watches).toBe(before.watches + 1);
  await writer.storm(directory, ['a', 'b'], 1, 2000, 0);
  await until(async () => (await call.state()).files?.['a'] === '2000');
  const stormed = await call.resources();
  expect(stormed.watches).toBe(held.watches);
  expect(stormed.instances).toBe(held.instances);
  expect(stormed.descriptors).toBeLessThanOrEqual(held.descriptors + 2);
  expect(stormed.rssBytes - held.rssBytes).toBeLessThan(64 * 2 ** 20);
});

row('B14', 'is right whatever the environment tells its watcher', async (scene) => {
  const { directory, writer, reader } = scene;
  await writer.write(directory, { a: '0' });
  for (const [index, polling] of ['0', '1'].entries()) {
    const { call } = reader({ env: { CHOKIDAR_USEPOLLING: polling } });
    await call.open(directory, quickPoll);
    await until(() => call.healthy());
    const value = String(index + 1);
    await writer.write(directory, { a: value });
    await until(async () => (await call.state()).files?.['a'] === value);
    expect((await call.state()).problems).toEqual([]);
  }
});

row('B15', 'survives listeners that fail', async ({ directory, writer, open }) => {
  await writer.write(directory, { a: '1' });
  await withProcessWarnings(async (warned) => {
    const { volume, changes, reaches } = open();
    volume.onChange(() => {
      throw new RangeError('the message stays out of it');
    });
    volume.onChange(async () => {
      await volume.ready();
      throw 'the message stays out of it';
    });
    const after: number[] = [];
    volume.onChange(({ generation }) => after.push(generation));
    await volume.ready();
    await writer.write(directory, { a: '2' });
    await reaches(2);
    expect(after).toEqual([1, 2]);
    expect(changes).toHaveLength(2);
    await until(() => warned.length === 4);
    const failed = (kind: string) => `a listener of a secret volume failed: ${kind}`;
    expect(new Set(warned.map(({ message }) => message))).toEqual(
      new Set([failed('RangeError'), failed('string')]),
    );
  });
});

end();

/** A reader that holds generation 1 while its user namespace allows no inotify. */
async function unwatchableReader(
  { directory, writer, reader }: Scene,
  limit: string,
  options: { pollIntervalMs: number } = quickPoll,
): Promise<Reader> {
  await writer.write(directory, { a: '1' });
  const started = reader({ within: ['unshare', '-Ur'] });
  await started.call.write(`/proc/sys/user/${limit}`, '0');
  await started.call.open(directory, options);
  await until(() => started.call.healthy());
  expect((await started.call.state()).health.watcher).toBe('down');
  return started;
}

/** A reader whose inotify queue ran over before the update to `a: 2` was announced. */
async function overflowedReader(
  { directory, elsewhere, writer, reader }: Scene,
  options: { pollIntervalMs: number },
): Promise<Reader> {
  await writer.write(directory, { a: '1' });
  const started = reader();
  const openedAt = Date.now();
  await started.call.open(directory, options);
  await started.call.listen(elsewhere);
  await until(async () => (await started.call.state()).health.watcher === 'up');
  // The first poll comes a second after the start whatever the interval, and must not be the one that finds the update.
  await until(async () => ((await started.call.state()).lookedAt ?? 0) - openedAt > 850);
  // On a busy machine another look can be as late as that poll should be.
  await until(() => Date.now() - openedAt > 2500);
  const [begun, ended] = ['begun', 'ended'].map((name) =>
    join(dirname(directory), `${name}-${options.pollIntervalMs}`),
  ) as [string, string];
  await started.call.blockBetween(begun, ended);
  await until(() => existsSync(begun));
  const queueLength = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  // Each round has three events: created, closed and deleted.
  await writer.churn(elsewhere, Math.ceil(queueLength / 2) + 1000);
  await writer.write(directory, { a: '2' });
  await writer.fs('writeFileSync', ended, '');
  return started;
}

/** A hint source of our own, which counts. */
function recordedSource(start: (events: HintEvents) => void) {
  let starts = 0;
  let closes = 0;
  const source: HintSource = (_, events) => {
    starts++;
    start(events);
    return {
      close: async () => {
        closes++;
      },
    };
  };
  return { source, starts: () => starts, live: () => starts - closes };
}
