/**
 * Configurations and key directories that are made to keep the signer busy. A request waits for as long as the signer's
 * main thread works without a pause, so that is what is measured: in processor time, which other processes cannot delay.
 */

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import type { Signer } from '../support/signer.ts';
import { openScene, type Scene, swapIn, tagOf, writeConfig } from './scene.ts';

/** Twice what is promised of a quiet machine, since a busy one has colder caches. Without the limits it is seconds. */
const longestMs = 200;

const maxConfigurationBytes = 64 * 1024;

/** As many repetitions as a configuration may have. */
const fill = (part: string, before = '', after = '') =>
  before +
  part.repeat(Math.floor((maxConfigurationBytes - before.length - after.length) / part.length)) +
  after;

/** Different lines, as many as a configuration may have, or fewer. */
function lines(before: string, line: (index: number) => string, most = Number.POSITIVE_INFINITY): string {
  const parts = [before];
  for (let index = 0, length = before.length; index < most; index++) {
    const next = line(index);
    length += next.length;
    if (length > maxConfigurationBytes) break;
    parts.push(next);
  }
  return parts.join('');
}

function indented(): string {
  let text = '';
  for (let depth = 0; text.length + depth + 3 < maxConfigurationBytes; depth++) {
    text += `${' '.repeat(depth)}a:\n`;
  }
  return text;
}

const tooDeep = 'nested more than 32 levels deep';
const tooMany = 'more values than a configuration needs';

const configurations: readonly (readonly [what: string, text: string, problem: string])[] = [
  ['3,000 open brackets', `keys: ${'['.repeat(3000)}${']'.repeat(3000)}`, tooDeep],
  ['64 KiB of [', fill('['), tooDeep],
  ['64 KiB of {a: ', fill('{a: '), tooDeep],
  ['64 KiB of - - -', fill('- '), tooDeep],
  ['64 KiB of ? ? ?', fill('? '), tooDeep],
  ['an indentation deeper in each line', indented(), tooDeep],
  ['brackets in an indentation', `keys:\n  k:\n    allow:\n      - ${'['.repeat(60_000)}`, tooDeep],
  ['a byte too much', `#${'x'.repeat(maxConfigurationBytes)}`, 'has more than 65536 bytes'],
  ['many small values', fill('a,', 'keys: [', 'a]'), tooMany],
  ['many comments', fill('#\n'), tooMany],
  ['many documents', fill('--- a\n', '', '--- a\n'), tooMany],
  ['many documents, not too many', 'keys: {}\n---\n'.repeat(2000), 'must be one YAML document'],
  ['one long text', fill('x', 'keys: '), 'keys: must name at least one key set'],
  ['tags', fill('!a b,', 'keys: [', 'a]'), 'many tags'],
  ['aliases', fill('*a,', 'a: &a b\nkeys: [', 'b]'), 'an alias (*) cannot be used here'],
  [
    'a bomb of aliases',
    lines(
      'a0: &a0 [x, x]\n',
      (index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}, *a${index}]\n`,
    ),
    'an alias (*) cannot be used here',
  ],
  ['merge keys', fill('<<: *a\n', 'a: &a {b: c}\n'), 'an alias (*) cannot be used here'],
  ['a field 9,000 times', 'a:\n'.repeat(9000), 'a field is given twice'],
  ['errors of syntax', fill(']'), 'not valid YAML'],
  ['10,000 unknown fields', lines('keys:\n  k:\n', (index) => `    k${index}:\n`, 6500), 'unknown field'],
  [
    'unknown fields in one line',
    `${lines('keys: { k: {', (index) => `k${index},`, 12_000)}} }`,
    'unknown field',
  ],
  [
    'an unknown field of 60,000 characters',
    `keys:\n  k:\n    ? ${'x'.repeat(60_000)}\n    : 1\n`,
    'unknown field',
  ],
  [
    'wrong elements of a list',
    `keys: { k: { allow: [${'a,'.repeat(12_000)}a] } }`,
    'must be one of sign, verify',
  ],
  [
    '9,000 key sets without a file',
    `${lines('keys: {', (index) => `k${index},`, 9000)}demo }`,
    'has no file',
  ],
  ['names that are no names', lines('keys:\n', (index) => `  "${index}*":\n`, 6000), 'not a usable name'],
];

/** How many contents were put to use or refused so far. */
async function decisions({ opsUrl }: Signer): Promise<number> {
  const response = await fetch(`${opsUrl}/status`, { headers: { connection: 'close' } });
  const { volumes } = (await response.json()) as { volumes: { generation: number; rejected: number }[] };
  return volumes.reduce((sum, { generation, rejected }) => sum + generation + rejected, 0);
}

/** The longest time that the main thread worked while a request waited, from a change until it is decided about. */
async function longestHoldMs(scene: Scene, signer: Signer, key: Buffer, change: () => void): Promise<number> {
  const { pid } = signer.process;
  const busyMs = () => Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  const before = await decisions(signer);
  change();
  let longest = 0;
  for (const deadline = performance.now() + 30_000; (await decisions(signer)) === before; ) {
    if (performance.now() > deadline) throw new Error('the change was not noticed');
    const begun = busyMs();
    const { body } = await scene.sign(signer, 'demo');
    longest = Math.max(longest, busyMs() - begun);
    expect(body).toMatchObject({ signature: tagOf(key) });
  }
  return longest;
}

test('K28 no hostile configuration delays a request, and the last good one serves on', async () => {
  await using scene = openScene();
  const key = scene.key();
  writeConfig(scene, 'keys: { demo: {} }');
  const signer = await scene.serve({ demo: key });
  const slow: string[] = [];
  for (const [what, text, problem] of configurations) {
    expect(text.length, what).toBeLessThanOrEqual(maxConfigurationBytes + 1);
    const holdMs = await longestHoldMs(scene, signer, key, () => writeConfig(scene, text));
    if (holdMs > longestMs) slow.push(`${what}: ${Math.round(holdMs)} ms`);
    expect((await scene.problems(signer)).join('\n'), what).toContain(problem);
    // Another good one, so that it is a change.
    await longestHoldMs(scene, signer, key, () =>
      writeConfig(scene, `keys: { demo: {} } # after: ${what}\n`),
    );
    expect(await scene.problems(signer), what).toEqual([]);
  }
  expect(slow).toEqual([]);
}, 300_000);

const k = () => randomBytes(32).toString('base64url');
const mebibyte = 2 ** 20 - 100;
const filled = (part: string, before: string, after: string) =>
  before + part.repeat(Math.floor((mebibyte - before.length - after.length) / part.length)) + after;
const keysOf = (count: number, key: (index: number) => string) =>
  `{"primary":"0","keys":[${Array.from({ length: count }, (_, index) => key(index)).join()}]}`;
const numbered = (count: number, content: () => string | Uint8Array, extension = '') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}${extension}`, content()]));

const sets: readonly (readonly [what: string, files: () => Readonly<Record<string, string | Uint8Array>>])[] =
  [
    ['1 MiB of [', () => ({ 'x.jwks.json': '['.repeat(2 ** 20) })],
    ['500,000 levels', () => ({ 'x.jwks.json': '['.repeat(2 ** 19) + ']'.repeat(2 ** 19) })],
    ['350,000 empty keys', () => ({ 'x.jwks.json': filled('{},', '{"primary":"a","keys":[', '{}]}') })],
    [
      '30,000 keys',
      () => ({ 'x.jwks.json': filled('{"kty":"oct","kid":"a","k":"AA"},', '{"keys":[', '{}]}') }),
    ],
    ['numbers', () => ({ 'x.jwks.json': filled('1e5,', '{"primary":"a","keys":[', '1]}') })],
    ['negative zeros', () => ({ 'x.jwks.json': filled('-0,', '{"x":[', '1]}') })],
    ['a number of a million digits', () => ({ 'x.jwks.json': filled('9', '{"x":', '}') })],
    [
      '60,000 members',
      () => ({
        'x.jwks.json': `{${Array.from({ length: 60_000 }, (_, index) => `"${index}kid":0`).join()},"keys":[{}]}`,
      }),
    ],
    ['1,000 sets of 64 wrong keys', () => numbered(1000, () => keysOf(64, () => '{}'), '.jwks.json')],
    [
      '300 sets of 64 keys',
      () => numbered(300, () => keysOf(64, (at) => `{"kty":"oct","kid":"${at}","k":"${k()}"}`), '.jwks.json'),
    ],
    ['1,000 short keys', () => numbered(1000, () => 'short')],
    ['15 keys of 1 MiB', () => numbered(15, () => randomBytes(mebibyte))],
    ['spaces', () => ({ x: ' '.repeat(mebibyte) })],
    ['base64', () => ({ x: randomBytes(786_000).toString('base64') })],
  ];

test('K29 no hostile key directory delays a request', async () => {
  await using scene = openScene();
  const key = scene.key();
  const signer = await scene.serve({ demo: key });
  const slow: string[] = [];
  for (const [what, files] of sets) {
    const content = files();
    const holdMs = await longestHoldMs(scene, signer, key, () =>
      swapIn(scene.directory, (target) => {
        for (const [name, bytes] of Object.entries({ demo: key, ...content }))
          writeFileSync(join(target, name), bytes);
      }),
    );
    if (holdMs > longestMs) slow.push(`${what}: ${Math.round(holdMs)} ms`);
  }
  writeVolume(scene.directory, { demo: key });
  expect(slow).toEqual([]);
}, 300_000);
