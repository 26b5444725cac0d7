/** Commands whose result cannot be written, or that nobody reads to its end. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { binary } from '../../support/signer.ts';

/** @param redirection of standard output */
async function shell(args: string, redirection: string): Promise<{ code: number; stderr: string }> {
  const command = `{ "${binary}" ${args}; echo "code $?" >&2; } ${redirection}`;
  const { stderr } = await promisify(execFile)('sh', ['-c', command], { env: {} });
  const [, text = '', code] = /^(.*)code (\d+)\n$/s.exec(stderr) ?? [];
  return { code: Number(code), stderr: text };
}

describe.each([
  ['keys new - --encoding hex', 0],
  ['keys new key -o secret', 0],
  ['audit verify --json /dev/null', 0],
  ['audit find --json /dev/null - </dev/null', 1],
  ['healthcheck --json --ops-listen 127.0.0.1:1', 1],
])('%s', (args, usual) => {
  it('keeps its exit code when its reader has gone', async () => {
    const { code, stderr } = await shell(args, '| true');
    expect(code).toBe(usual);
    expect(stderr).not.toMatch(/EPIPE|\bat /);
  });

  it('fails on a full disk, and says so in one line', async () => {
    const { code, stderr } = await shell(args, '>/dev/full');
    expect(code).toBe(1);
    if (usual === 0)
      expect(stderr).toBe('sidecar-signer: the result cannot be written to standard output (ENOSPC)\n');
    expect(stderr.split('\n').length).toBeLessThan(4);
  });
});
