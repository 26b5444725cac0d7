/** Each long run in short, with bounds of the same kind: `npm run soak` has the long ones. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, 'soak.ts');
const shortened = ['--swaps', '2000', '--updates', '3'];

describe.each(['node', 'bun'])('on %s', (runtime) => {
  it.each(['torn', 'day', 'missed'])('%s', (part) => {
    const args = [script, '--part', part, '--runtime', runtime, ...shortened];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    // Compared as a whole, so that a failure shows what was measured.
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: expect.stringMatching(new RegExp(`^\\S*✓\\S* ${part} on ${runtime}, [^\\n]+\\n$`)),
      stderr: expect.any(String),
    });
  });
});
