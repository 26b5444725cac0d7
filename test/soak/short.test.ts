/** Each long run in short, with bounds of the same kind: `npm run soak` has the long ones. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const script = join(import.meta.dirname, 'soak.ts');
const shortened = ['--swaps', '1000', '--updates', '3'];

it.each(['torn', 'day', 'missed'])('%s, on Node and on Bun at the same time', async (part) => {
  const runs = ['node', 'bun'].map(async (runtime) => {
    const args = [script, '--part', part, '--runtime', runtime, ...shortened];
    const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => error);
    expect(stdout).toMatch(new RegExp(`^\\S*✓\\S* ${part} on ${runtime}, [^\\n]+\\n$`));
  });
  await Promise.all(runs);
});

it('audit', async () => {
  const args = [script, '--part', 'audit', '--operations', '20000'];
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => error);
  expect(stdout).toMatch(/^\S*✓\S* audit, [^\n]+\n$/);
});
