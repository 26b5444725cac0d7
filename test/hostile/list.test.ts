/** No row of the hostile inputs that docs/security.md lists is lost: each has at least one test of its number. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { page } from '../support/docs.ts';

const root = join(import.meta.dirname, '../..');
const rowsUnder = (heading: string) =>
  page('docs/security.md')
    .table(heading, 'row')
    .rows.map(([number]) => number);
const rows = [...rowsUnder('Hostile requests to the HTTP API'), ...rowsUnder('Hostile key directories')];

test('each of the 102 rows has a test', { timeout: 120_000 }, () => {
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
  expect(rows).toHaveLength(102);
  expect([...new Set(covered)].sort()).toEqual(rows.toSorted());
});
