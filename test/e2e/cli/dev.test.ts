/** `npm start`, by the script that it runs, in a directory of its own. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { temporaryDirectory, waitFor } from '../../support/signer.ts';

const script = join(import.meta.dirname, '../../../test/dev.ts');
const sh = promisify(execFile);

it.each(['--socket', '--listen'])('prints a command that signs over %s', async (flag) => {
  using directory = temporaryDirectory();
  const where = flag === '--socket' ? ['--listen', 'none', '--socket', 'a b.sock'] : ['--listen', '[::1]:0'];
  const child = spawn('bun', [script, '--ops-listen', 'none', ...where], { cwd: directory.path });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  try {
    const command = await waitFor(() => /^curl .*\\\n.*\n/m.exec(printed)?.[0]);
    const { stdout } = await sh('sh', ['-c', command], { cwd: directory.path });
    expect(JSON.parse(stdout)).toMatchObject({ signature: expect.stringMatching(/^[0-9a-f]{64}$/) });
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

it('prints its help, and makes no key for that', async () => {
  using directory = temporaryDirectory();
  const { stdout } = await sh('bun', [script, '--help'], { cwd: directory.path });
  expect(stdout).toContain('Usage: serve');
  expect(existsSync(join(directory.path, '.dev'))).toBe(false);
});

it('ends with 2 for a flag that it does not know', async () => {
  using directory = temporaryDirectory();
  await expect(sh('bun', [script, '--nope'], { cwd: directory.path })).rejects.toMatchObject({ code: 2 });
});
