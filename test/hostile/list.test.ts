/** No row of the list of hostile inputs is lost: each has at least one test that carries its number. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const numbers = (letter: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${letter}${String(index + 1).padStart(2, '0')}`);
/** Of the HTTP API and of the key directory. */
const rows = [...numbers('A', 53), 'A42a', ...numbers('K', 27)];

test('each of the 81 rows has a test', { timeout: 120_000 }, () => {
  const list = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'list', '--project', 'hostile', '--json', '--no-static-parse'],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  const tests = JSON.parse(list.stdout) as readonly { readonly name: string }[];
  const covered = tests.flatMap(({ name }) => /(?:^|> )([AK]\d{2}a?) /.exec(name)?.[1] ?? []);
  expect(rows).toHaveLength(81);
  expect([...new Set(covered)].sort()).toEqual(rows.toSorted());
});
