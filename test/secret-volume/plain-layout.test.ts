/** Table C: plain files, which editors, agents and other providers write in their own ways. */

import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Reader } from '../support/reader-process.ts';
import { noPoll, quickPoll, type Scene, scenarios, texts, until } from '../support/scenario.ts';

const { row, end } = scenarios('C', 12);

/** A plain directory counts as settled when it has been left alone for this long. */
const settleMs = 150;

row(
  'C1',
  'waits for a file that is written bit by bit',
  async ({ directory, writer, open }) => {
    const path = join(directory, 'a');
    await plainFiles({ directory, writer }, { a: 'old' });
    const published: string[] = [];
    const { volume } = open({ parse: (reading) => published.push(reading.text('a')) });
    await volume.ready();
    await unhurried(async (attempt) => {
      published.length = 0;
      const longestMs = await writer.sequence(60, [
        ['writeFileSync', path, ''],
        ['appendFileSync', path, `half-${attempt}`],
        ['appendFileSync', path, '-rest'],
      ]);
      await until(() => published.includes(`half-${attempt}-rest`));
      return longestMs < settleMs;
    });
    expect(published).toHaveLength(1);
  },
  { polled: true },
);

row('C1', 'waits for the first file as well when it comes late', async ({ directory, writer, open }) => {
  const path = join(directory, 'a');
  await writer.fs('mkdirSync', directory);
  await unhurried(async () => {
    await writer.fs('rmSync', path, { force: true });
    const published: string[] = [];
    const { volume, codes } = open({ parse: (reading) => published.push(reading.text('a')) });
    await until(() => codes().includes('empty'));
    const longestMs = await writer.sequence(60, [
      ['writeFileSync', path, ''],
      ['appendFileSync', path, 'half'],
      ['appendFileSync', path, '-rest'],
    ]);
    await until(() => published.includes('half-rest'));
    await volume.close();
    if (longestMs >= settleMs) return false;
    expect(published).toEqual(['half-rest']);
    return true;
  });
});

row('C2', 'keeps the last good reading while a file is empty', async ({ directory, writer, open }) => {
  await plainFiles({ directory, writer }, { a: '1' });
  const { volume, codes, looked, reaches } = open({ required: ['a'] });
  await volume.ready();
  await writer.fs('truncateSync', join(directory, 'a'));
  await until(() => volume.health.problem !== undefined);
  await looked();
  expect(texts(volume.current)).toEqual({ a: '1' });
  expect(codes()).toEqual(['empty_file']);
  await writer.fs('writeFileSync', join(directory, 'a'), '2');
  await reaches(2);
  expect(texts(volume.current)).toEqual({ a: '2' });
});

row(
  'C3',
  'sees one change when a file is written aside and renamed',
  async ({ directory, writer, open }) => {
    await plainFiles({ directory, writer }, { a: '1' });
    const names: (readonly string[])[] = [];
    const { volume, changes, reaches } = open({
      required: ['a'],
      parse: (reading) => {
        names.push(reading.names);
        return reading;
      },
    });
    await volume.ready();
    await writer.fs('writeFileSync', join(directory, '.a.tmp'), '2');
    await writer.fs('renameSync', join(directory, '.a.tmp'), join(directory, 'a'));
    await reaches(2);
    expect(texts(volume.current)).toEqual({ a: '2' });
    expect(changes.slice(1)).toEqual([{ generation: 2, added: [], removed: [], modified: ['a'] }]);
    expect(names).toEqual([['a'], ['a']]);
  },
  { polled: true },
);

row('C4', 'sees one change when an editor keeps a backup', async ({ directory, writer, open }) => {
  await plainFiles({ directory, writer }, { a: '1' });
  const { volume, changes, looked, reaches } = open({ required: ['a'] });
  await volume.ready();
  await writer.sequence(20, [
    ['renameSync', join(directory, 'a'), join(directory, 'a~')],
    ['writeFileSync', join(directory, 'a'), '2'],
    ['unlinkSync', join(directory, 'a~')],
  ]);
  await reaches(2);
  await looked();
  expect(texts(volume.current)).toEqual({ a: '2' });
  expect(changes.slice(1)).toEqual([{ generation: 2, added: [], removed: [], modified: ['a'] }]);
});

row('C5', 'sees a change that left size and time as they were', async (scene) => {
  const { directory, elsewhere, writer, open } = scene;
  const path = join(directory, 'a');
  const times = join(elsewhere, 'times');
  await plainFiles({ directory, writer }, { a: '1' });
  // Without the poll, which reads everything anew at times.
  const { volume, firstPoll, reaches } = open(noPoll);
  await volume.ready();
  await until(() => volume.health.watcher === 'up');
  await firstPoll();
  const { size, mtimeNs } = statSync(path, { bigint: true });
  execFileSync('touch', ['-r', path, times]);
  await writer.fs('writeFileSync', path, '2');
  execFileSync('touch', ['-r', times, path]);
  expect(statSync(path, { bigint: true })).toMatchObject({ size, mtimeNs });
  await reaches(2);
  expect(texts(volume.current)).toEqual({ a: '2' });
});

row('C6', 'sees two renames close together as one change', async ({ directory, writer, open }) => {
  await plainFiles({ directory, writer }, { a: '0', b: '0' });
  const { volume, changes } = open({ required: ['a', 'b'] });
  await volume.ready();
  await unhurried(async (attempt) => {
    const value = String(attempt);
    const before = changes.length;
    await plainFiles({ directory, writer }, { '.a.tmp': value, '.b.tmp': value });
    const longestMs = await writer.sequence(50, [
      ['renameSync', join(directory, '.a.tmp'), join(directory, 'a')],
      ['renameSync', join(directory, '.b.tmp'), join(directory, 'b')],
    ]);
    await until(() => volume.current?.text('a') === value && volume.current.text('b') === value);
    if (longestMs >= settleMs) return false;
    expect(changes.slice(before)).toMatchObject([{ modified: ['a', 'b'] }]);
    return true;
  });
});

row('C7', 'does not wait for ever for a writer without end', async ({ directory, writer, open }) => {
  const path = join(directory, 'a');
  await plainFiles({ directory, writer }, { a: 'log:' });
  const { volume, reaches } = open();
  await volume.ready();
  const appends = Array.from({ length: 100 }, () => ['appendFileSync', path, '.'] as const);
  const writing = writer.sequence(50, appends);
  const first = await Promise.race([
    reaches(2).then(() => 'published'),
    writing.then(() => 'the writer ended'),
  ]);
  expect(first).toBe('published');
  await writing;
});

row('C8', 'follows a directory that becomes atomic, and back', async ({ directory, writer, open }) => {
  await plainFiles({ directory, writer }, { a: '1' });
  const { volume, warnings, reaches } = open();
  expect((await volume.ready()).layout).toBe('plain');
  await writer.write(directory, { a: '2' });
  await reaches(2);
  expect(volume.current).toMatchObject({ layout: 'atomic', generation: 2 });
  expect(texts(volume.current)).toEqual({ a: '2' });
  await writer.fs('writeFileSync', join(directory, 'a'), '3');
  await writer.fs('unlinkSync', join(directory, '..data'));
  await reaches(3);
  expect(texts(volume.current)).toEqual({ a: '3' });
  expect(volume.health.layout).toBe('plain');
  expect(warnings.filter(({ code }) => code === 'layout_changed').map(({ message }) => message)).toEqual([
    `${directory} changed from plain to atomic layout`,
    `${directory} changed from atomic to plain layout`,
  ]);
});

row(
  'C9',
  'says that a file mounted on its own does not follow its replacement',
  async ({ directory, elsewhere, writer, reader }) => {
    const host = join(elsewhere, 'a');
    await writer.fs('writeFileSync', host, '1');
    await plainFiles({ directory, writer }, { a: 'covered' });
    const { call } = reader({ within: ['unshare', '-m'] });
    await call.exec('mount', '--bind', host, join(directory, 'a'));
    await call.open(directory, quickPoll);
    await until(() => call.healthy());
    expect((await call.state()).warnings).toContainEqual({
      code: 'never_updates',
      name: 'a',
      message:
        '"a" is a mount of a single file and will not follow its replacement; mount the whole secret as a directory',
    });
    await writer.fs('writeFileSync', host, '2');
    await until(async () => (await call.state()).files?.['a'] === '2');
    await writer.fs('writeFileSync', `${host}.new`, '3');
    await writer.fs('renameSync', `${host}.new`, host);
    await looked(call);
    expect((await call.state()).files).toEqual({ a: '2' });
  },
  { needs: ['mount namespaces'] },
);

row(
  'C10',
  'says that a subPath mount never updates',
  async ({ directory, elsewhere, writer, reader }) => {
    const volume = join(elsewhere, 'volume');
    await writer.write(volume, { key: '1', 'group/key': '1' });
    await plainFiles({ directory, writer }, { key: 'covered' });
    await writer.fs('mkdirSync', join(directory, 'group'));
    const { call } = reader({ within: ['unshare', '-m'] });
    for (const path of ['key', 'group']) {
      await call.exec('mount', '--bind', join(volume, '..data', path), join(directory, path));
    }
    const warned = async () =>
      (await call.state()).warnings
        .filter(({ code }) => code === 'never_updates')
        .map(({ name, message }) => [name, message.includes('subPath mount')]);
    await call.open(directory, quickPoll);
    await until(() => call.healthy());
    expect(await warned()).toEqual([
      ['key', true],
      ['group', true],
    ]);
    await writer.write(volume, { key: '2', 'group/key': '2' });
    await looked(call);
    expect((await call.state()).files?.['key']).toBe('1');
    await call.close();

    // The mounted directory itself is a part of one generation.
    const group = join(elsewhere, 'group');
    await writer.fs('mkdirSync', group);
    await call.exec('mount', '--bind', join(volume, '..data', 'group'), group);
    await call.open(group, quickPoll);
    await until(() => call.healthy());
    expect(await warned()).toEqual([[undefined, true]]);
  },
  { needs: ['mount namespaces'] },
);

row('C11', 'tells nothing when the same bytes are written again', async ({ directory, writer, open }) => {
  await plainFiles({ directory, writer }, { a: '1' });
  const { volume, changes, looked } = open();
  await volume.ready();
  const rewrites = Array.from({ length: 5 }, () => ['writeFileSync', join(directory, 'a'), '1'] as const);
  await writer.sequence(200, rewrites);
  await looked();
  expect(changes).toHaveLength(1);
  expect(texts(volume.current)).toEqual({ a: '1' });
});

row('C12', 'keeps the last good reading while its file is gone', async ({ directory, writer, open }) => {
  await plainFiles({ directory, writer }, { a: '1' });
  const { volume, codes, looked, reaches } = open();
  await volume.ready();
  await writer.fs('unlinkSync', join(directory, 'a'));
  await until(() => volume.health.problem !== undefined);
  await looked();
  expect(texts(volume.current)).toEqual({ a: '1' });
  expect(codes()).toEqual(['empty']);
  await writer.fs('writeFileSync', join(directory, 'a'), '2');
  await reaches(2);
  expect(texts(volume.current)).toEqual({ a: '2' });
});

end();

async function plainFiles(
  { directory, writer }: Pick<Scene, 'directory' | 'writer'>,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await writer.fs('mkdirSync', directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await writer.fs('writeFileSync', join(directory, name), text);
  }
}

/** Tries again when the machine was so busy that the writer paused longer than it meant to. */
async function unhurried(act: (attempt: number) => Promise<boolean>): Promise<void> {
  for (let attempt = 1; attempt <= 20; attempt++) if (await act(attempt)) return;
  throw new Error('the machine is too busy for a writer with short pauses');
}

/** Waits until the reader has looked at its directory, from beginning to end, after this call. */
async function looked(call: Reader['call']): Promise<void> {
  for (let attempt = 0; attempt < 2; attempt++) {
    const { lookedAt } = await call.state();
    await until(async () => (await call.state()).lookedAt !== lookedAt);
  }
}
