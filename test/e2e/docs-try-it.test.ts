/** The README's "Try it" works in a clone when it is pasted: its commands are run as they stand but for their ports. */

import { execFileSync, spawn } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { page } from '../support/docs.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryDirectory, waitFor } from '../support/signer.ts';

const installMs = 300_000;
const root = join(import.meta.dirname, '../..');
const blocks = page('README.md').blocksUnder('Try it');
// Another `npm start` may be running on this machine.
const listen = `127.0.0.1:${await freePort()}`;
const [start = '', sign = '', openssl = '', rotate = ''] = blocks
  .filter(({ language }) => language === 'sh')
  .map(({ code }) => code.replace('127.0.0.1:8700', listen));

const clone = temporaryDirectory();
const shell = (command: string) =>
  execFileSync('bash', ['-c', command], { cwd: clone.path, encoding: 'utf8' });
let npm: ReturnType<typeof spawn>;
let output = '';

beforeAll(async () => {
  for (const name of ['package.json', 'package-lock.json', '.npmrc', 'src', 'test/dev.ts']) {
    cpSync(join(root, name), join(clone.path, name), { recursive: true });
  }
  const command = `exec ${start} -- --listen ${listen} --ops-listen none`;
  npm = spawn('bash', ['-c', command], { cwd: clone.path, detached: true });
  for (const stream of [npm.stdout, npm.stderr]) {
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  }
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
