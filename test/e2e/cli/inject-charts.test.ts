/** The binary does with public charts what the function does: on Bun, a faster reader checks what is written. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inject } from '../../../src/cli/inject/inject.ts';
import { binary } from '../../support/signer.ts';

const folder = join(import.meta.dirname, '../../cli/inject/charts');

it.each(readdirSync(folder))('%s', (name) => {
  const input = readFileSync(join(folder, name), 'utf8');
  const { text, exitCode, summary } = inject(input, { all: true });
  const { status, stdout, stderr } = spawnSync(binary, ['inject', '--all'], { input, encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: exitCode, stdout: text });
  for (const { workload } of summary) expect(stderr).toContain(workload);
});
