/** Key files that somebody else replaces while a command makes their new content. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CommandFailure } from '../../src/cli/failure.ts';
import { type Place, replaceFile, rotateFile } from '../../src/cli/keys/write-file.ts';
import { temporaryDirectory } from '../support/signer.ts';

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

const old = Buffer.from('the key that the command has read');
const other = Buffer.from('the key that somebody else has made');
const content = Buffer.from('the key that the command has made');

let count = 0;
function keyFile(held: Uint8Array): { folder: string; file: string } {
  const folder = join(directory.path, `${count++}`);
  mkdirSync(folder);
  const file = join(folder, 'orders');
  writeFileSync(file, held);
  return { folder, file };
}
const contents = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, `${readFileSync(join(folder, name))}`]));

it.each<[Place, Record<string, string>]>([
  ['free', {}],
  ['same', { 'orders.previous': `${old}` }],
  ['replaceable', { 'orders.previous': 'an earlier key' }],
])('are left as they are by a rotation whose place is %s', (place, before) => {
  const { folder, file } = keyFile(other);
  for (const [name, held] of Object.entries(before)) writeFileSync(join(folder, name), held);
  const rotate = () => rotateFile(file, `${file}.previous`, place, { old, content });
  expect(rotate).toThrow(CommandFailure);
  expect(rotate).toThrow(`${file} was changed by somebody else at the same time`);
  expect(contents(folder)).toEqual({ orders: `${other}`, ...before });
});

it('are left as they are by a replacement', () => {
  const { folder, file } = keyFile(other);
  expect(() => replaceFile(file, content, { old })).toThrow('was changed by somebody else');
  expect(contents(folder)).toEqual({ orders: `${other}` });
});

it('are replaced if nobody has', () => {
  const { folder, file } = keyFile(old);
  rotateFile(file, `${file}.previous`, 'free', { old, content });
  expect(contents(folder)).toEqual({ orders: `${content}`, 'orders.previous': `${old}` });
  replaceFile(file, other, { old: content });
  replaceFile(file, content);
  expect(contents(folder)['orders']).toBe(`${content}`);
});
