/** The README works when it is pasted: its commands are run as they stand, and answer as it says. */

import { execFileSync, spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { codeBlocks, table } from '../support/readme.ts';
import { binary, temporaryDirectory, waitFor } from '../support/signer.ts';

const installMs = 180_000;
const root = join(import.meta.dirname, '../..');
const blocks = codeBlocks.filter(({ heading }) => heading === 'Try it');
const [start, sign, openssl, rotate] = blocks
  .filter(({ language }) => language === 'sh')
  .map(({ code }) => code);

describe('the section "Try it"', () => {
  const clone = temporaryDirectory();
  const shell = (command = '') =>
    execFileSync('bash', ['-c', command], { cwd: clone.path, encoding: 'utf8' });
  let npm: ReturnType<typeof spawn>;
  let output = '';

  beforeAll(async () => {
    for (const name of ['package.json', 'package-lock.json', '.npmrc', 'src', 'test/dev.ts']) {
      cpSync(join(root, name), join(clone.path, name), { recursive: true });
    }
    npm = spawn('bash', ['-c', `exec ${start}`], { cwd: clone.path, detached: true });
    npm.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    npm.stderr?.on('data', (chunk) => {
      output += chunk;
    });
    // It installs what is missing first, which here is everything.
    await waitFor(() => (output.includes('curl ') ? true : undefined), installMs);
  }, installMs);
  afterAll(() => {
    if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGTERM');
    clone[Symbol.dispose]();
  });

  it('prints the command that it shows', () => {
    expect(output).toContain(sign);
  });

  it('gives an answer of the shape that it shows', () => {
    const shown = JSON.parse(blocks.find(({ language }) => language === 'json')?.code ?? '');
    const answer = JSON.parse(shell(sign));
    expect(Object.keys(answer)).toEqual(Object.keys(shown));
    expect(answer.signature).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives the signature that openssl computes, before and after a rotation', async () => {
    const expected = () => shell(openssl).trim().split(' ').at(-1);
    const before = JSON.parse(shell(sign)).signature;
    expect(before).toBe(expected());
    shell(rotate);
    const after = expected();
    expect(after).not.toBe(before);
    await waitFor(() => (JSON.parse(shell(sign)).signature === after ? true : undefined));
  });
});

it('lists the commands that there are', () => {
  const help = execFileSync(binary, ['--help'], { encoding: 'utf8' });
  const commands = [...(help.split('Commands:')[1] ?? '').matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
  const listed = table('Commands', 'command').rows.map(([name]) => name);
  expect([...listed, 'help'].sort()).toEqual([...commands].sort());
});
