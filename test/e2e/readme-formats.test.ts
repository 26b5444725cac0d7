/** The example of each format in the README: its configuration is served, its command is run as it stands. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { formats } from '../../src/formats/index.ts';
import { type ConfiguredSigner, startConfigured } from '../support/configured.ts';
import { codeBlocks } from '../support/readme.ts';

const blockOf = (heading: string, language: string) =>
  codeBlocks.find((block) => block.heading === heading && block.language === language)?.code ?? '';
/** `raw` is the one that "Try it" shows. */
const names = [...formats.keys()].filter((name) => name !== 'raw');
const keySets: Record<string, { encoding?: string }> = Object.assign(
  {},
  ...names.map((name) => parse(blockOf(name, 'yaml')).keys),
);
const secretOf = (encoding = 'bytes') => {
  const base64 = randomBytes(64).toString('base64');
  return encoding === 'whsec' ? `whsec_${base64}` : base64;
};

describe.each(names)('the example of %s', (name) => {
  let running: ConfiguredSigner;
  beforeAll(async () => {
    const files = Object.entries(keySets).map(([file, { encoding }]) => [file, secretOf(encoding)]);
    running = await startConfigured(Object.fromEntries(files), keySets);
  });
  afterAll(() => running[Symbol.asyncDispose]());

  it('is answered as it shows', async () => {
    const command = blockOf(name, 'sh').replace('http://127.0.0.1:8700', running.signer.url);
    const { stdout } = await promisify(execFile)('bash', ['-c', command]);
    expect(shapeOf(JSON.parse(stdout))).toEqual(shapeOf(JSON.parse(blockOf(name, 'json'))));
  });
});

/** A value with what changes from one signature to the next replaced by its kind: letters and digits, and their number. */
function shapeOf(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(/[\w+/-]/g, 'x');
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shapeOf(member)]));
}
