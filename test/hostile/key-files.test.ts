/** What a key file may hold and what not. All contents of a kind lie in one directory: every problem is reported at once. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test as base, describe, expect } from 'vitest';
import { type Payload, writeVolume } from '../support/atomic-writer.ts';
import { type Signer, waitFor } from '../support/signer.ts';
import { openScene, type Scene, swapIn, tagOf, writeConfig } from './scene.ts';

/** One file of a directory, under a name of its own; with fields of a configuration, or without any configuration. */
interface Content {
  readonly row: string;
  readonly what: string;
  readonly content: (scene: Scene) => string | Uint8Array;
  readonly config?: string;
}

interface Refused extends Content {
  readonly because: string;
}

interface Accepted extends Content {
  /** How many bytes at the end are not of the key, or the encoding that it is in. */
  readonly key?: number | BufferEncoding;
}

const text = (before: string, after: string) => (scene: Scene) =>
  `${before}${scene.key(24).toString('base64url')}${after}`;
const encoded =
  (encoding: BufferEncoding, after = '', before = '') =>
  (scene: Scene) =>
    before + scene.key(33).toString(encoding) + after;

/** One row for each kind; every value of a kind is in the tests of `decode` and `load`. */
const refused: readonly Refused[] = [
  { row: 'K09', what: 'no byte', content: () => '', because: 'is empty' },
  {
    row: 'K09',
    what: '15 bytes',
    content: ({ key }) => key(15),
    because: 'is 15 bytes long; a key needs at least 16',
  },
  { row: 'K10', what: 'text, \\r, \\n', content: text('', '\r\n'), because: 'echo -n' },
  { row: 'K12', what: 'zeros', content: () => Buffer.alloc(32), because: 'is one byte repeated' },
  { row: 'K12', what: 'changeme', content: () => 'changeme', because: 'is 8 bytes long' },
];

const notIn = (
  encoding: string,
  what: string,
  content: Content['content'],
  because = `is not ${encoding}`,
) => ({
  row: 'K11',
  what: `${encoding}: ${what}`,
  content,
  config: `encoding: ${encoding}`,
  because,
});
const refusedAsConfigured: readonly Refused[] = [
  { ...notIn('text', 'a byte order mark', text('\ufeff', ''), 'byte order mark'), row: 'K10' },
  { ...notIn('text', 'not UTF-8', () => Buffer.alloc(32, 'a\xff', 'latin1'), 'not UTF-8'), row: 'K10' },
  notIn('hex', 'two newlines', encoded('hex', '\n\n')),
  notIn('hex', 'odd length', encoded('hex', '0')),
  notIn('base64', 'a space', encoded('base64', ' ')),
  notIn('base64', 'base64url', encoded('base64', '', '-_-_')),
  notIn('base64', 'no padding', (scene) => encoded('base64')(scene).slice(0, -1)),
  notIn('base64', 'two lines', encoded('base64', '', 'AAAA\n')),
  notIn('base64url', 'base64', encoded('base64', '', '+/+/')),
  notIn('base64url', 'padding', encoded('base64url', '=')),
  notIn('whsec', 'no prefix', encoded('base64'), 'whsec_'),
  notIn('jwks', 'no JSON', ({ textKey }) => textKey(), 'is not one JSON text'),
  {
    row: 'K27',
    what: 'a key for another algorithm',
    content: ({ key }) => jwkSet(key(64), 'HS512'),
    config: 'encoding: jwks, algorithm: HS256',
    because: 'HS512',
  },
  {
    row: 'K27',
    what: 'a file of another name',
    content: ({ key }) => key(),
    config: 'file: elsewhere',
    because: 'needs a file ("file") that is not there',
  },
];

const accepted: readonly Accepted[] = [
  ...[16, 65, 2 ** 20].map((length) => ({
    row: 'K09',
    what: `${length} bytes`,
    content: ({ key }: Scene) => key(length),
  })),
  { row: 'K10', what: 'text without a newline', content: text('', '') },
  {
    row: 'K10',
    what: 'bytes that end with a newline',
    content: ({ key }) => Buffer.concat([Buffer.from([0]), key(), Buffer.from('\n')]),
  },
  {
    row: 'K12',
    what: 'a key that ends with NUL',
    content: ({ key }) => Buffer.concat([key(), Buffer.alloc(3)]),
  },
];

const acceptedAsConfigured: readonly Accepted[] = [
  { row: 'K10', what: 'text, \\r, \\n', content: text('', '\r\n'), config: 'encoding: text', key: 2 },
  {
    row: 'K10',
    what: 'text, \\n, \\n: one is removed',
    content: text('', '\n\n'),
    config: 'encoding: text',
    key: 1,
  },
  ...(['hex', 'base64', 'base64url'] as const).map((encoding) => ({
    row: 'K11',
    what: `${encoding} and a newline`,
    content: encoded(encoding, '\n'),
    config: `encoding: ${encoding}`,
    key: encoding,
  })),
];

/** Contents that are wrong together: row, what they are, the files, and the reason given. */
const refusedSets: readonly (readonly [string, string, (scene: Scene) => Payload, string])[] = [
  ['K09', '1 MiB and a byte', ({ key }) => ({ demo: key(2 ** 20 + 1) }), '"demo" is over 1048576 bytes'],
  ['K09', '17 files of 1 MiB', (scene) => numbered(17, scene, 2 ** 20), 'over 16777216 bytes in all'],
  ['K13', 'the same key under two names', twice((key) => key), 'the same key'],
  ['K18', 'a name beyond ASCII', named('d\u0435mo'), 'is not a usable name'],
  ['K18', 'a name of 254 characters', named('a'.repeat(254)), 'is not a usable name'],
  ['K18', 'a name that looks like a line of the log', named('a\n{"level":"info"}'), 'is not a usable name'],
  ['K18', 'one name for two files', ({ key }) => ({ 'demo.x': key(), 'demo/x': key() }), 'two files'],
];

const names = ['.hidden', '-', 'a'.repeat(253), '__proto__', 'constructor', 'group/key', 'A.b_c-D', '0'];

function twice(change: (key: Buffer) => Buffer): (scene: Scene) => Payload {
  return ({ key }) => {
    const demo = key();
    return { demo, other: change(demo) };
  };
}

function named(name: string): (scene: Scene) => Payload {
  return ({ key }) => ({ demo: key(), [name]: key() });
}

/** One random key, and others that are counted up, so that the search for them stays short. */
function numbered(count: number, { key }: Scene, length: number): Payload {
  const others = Array.from({ length: count - 1 }, (_, index) => [
    `key-${index}`,
    Buffer.alloc(length, `${index} `),
  ]);
  return Object.fromEntries([['demo', key(length)], ...others]);
}

function jwkSet(key: Buffer, alg: string): string {
  return JSON.stringify({
    primary: 'a',
    keys: [{ kty: 'oct', kid: 'a', alg, k: key.toString('base64url') }],
  });
}

/** Every content under a name of its own: its place in the table. */
function write(scene: Scene, contents: readonly Content[]): Payload {
  const payload = Object.fromEntries(contents.map(({ content }, index) => [`key-${index}`, content(scene)]));
  writeVolume(scene.directory, payload);
  return payload;
}

function configure(scene: Scene, contents: readonly Content[]): void {
  const lines = contents.map(({ config }, index) => `  key-${index}: { ${config} }`);
  writeConfig(scene, `keys:\n${lines.join('\n')}\n`);
}

function keyOf({ key = 0 }: Accepted, content: string | Uint8Array | undefined): Buffer {
  if (typeof key === 'string') return Buffer.from(String(content), key);
  const bytes = Buffer.from(content ?? '');
  return bytes.subarray(0, bytes.length - key);
}

async function openGood(scene: Scene): Promise<{ signer: Signer; good: Buffer }> {
  const good = scene.key();
  const signer = await scene.serve({ demo: good });
  return { signer, good };
}

async function expectLastGood(scene: Scene, signer: Signer, good: Buffer): Promise<void> {
  expect((await scene.get(`${signer.opsUrl}/readyz`)).status).toBe(200);
  expect((await scene.sign(signer, 'demo')).body).toMatchObject({ signature: tagOf(good) });
}

const test = base
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to learn what a fixture needs
  .extend('scene', { scope: 'file' }, ({}, { onCleanup }) => {
    const scene = openScene();
    onCleanup(() => scene[Symbol.asyncDispose]());
    return scene;
  })
  .extend('good', { scope: 'file' }, ({ scene }) => openGood(scene));

for (const [title, contents] of [
  ['without a configuration', refused],
  ['as configured', refusedAsConfigured],
] as const) {
  const configured = contents === refusedAsConfigured;
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to learn what a fixture needs
  const withProblems = base.extend('problems', { scope: 'file' }, async ({}) => {
    await using scene = openScene();
    write(scene, contents);
    if (configured) configure(scene, contents);
    const { problems, valid, exitCode } = await scene.check();
    expect({ valid, exitCode }).toEqual({ valid: false, exitCode: 1 });
    const signer = await scene.start();
    await scene.refused(signer, contents[0]?.because ?? '');
    expect(await scene.sign(signer, 'key-0')).toMatchObject({ status: 503, body: { code: 'not_ready' } });
    const served = await scene.problems(signer);
    expect(served).toEqual(problems);
    return problems;
  });

  describe(`is refused ${title}, by check and by serve`, () => {
    withProblems('nothing else is', ({ problems }) => {
      expect(problems).toHaveLength(contents.length);
    });

    withProblems.for(contents.map((each, index) => ({ ...each, index })))(
      '$row $what',
      ({ index, because }, { problems }) => {
        const own = problems.filter((problem) => problem.includes(`"key-${index}"`));
        expect(own).toEqual([expect.stringContaining(because)]);
      },
    );
  });
}

for (const [title, contents] of [
  ['without a configuration', accepted],
  ['as configured', acceptedAsConfigured],
] as const) {
  const withSigner = base
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the pattern to learn what a fixture needs
    .extend('signed', { scope: 'file' }, async ({}) => {
      await using scene = openScene();
      const payload = write(scene, contents);
      if (contents === acceptedAsConfigured) configure(scene, contents);
      expect(await scene.check()).toMatchObject({ valid: true, exitCode: 0, problems: [] });
      const signer = await scene.start();
      await signer.ready();
      const answers = await Promise.all(contents.map((_, index) => scene.sign(signer, `key-${index}`)));
      return contents.map((each, index) => ({
        expected: tagOf(keyOf(each, payload[`key-${index}`])),
        signature: answers[index]?.body['signature'],
      }));
    });

  describe(`is accepted ${title}, and signs`, () => {
    withSigner.for(contents.map((each, index) => ({ ...each, index })))(
      '$row $what',
      ({ index }, { signed }) => {
        expect(signed[index]?.signature).toBe(signed[index]?.expected);
      },
    );
  });
}

describe('is refused as a whole, and the last good keys stay', () => {
  test.for(refusedSets)('%s %s', async ([, , files, because], { scene, good: { signer, good } }) => {
    writeVolume(scene.directory, files(scene));
    const { valid, problems } = await scene.check();
    expect(valid).toBe(false);
    expect(problems.join('\n')).toContain(because);
    await scene.refused(signer, because);
    await expectLastGood(scene, signer, good);
  });

  test.for([1025, 10_000])('K19 %i files', async (count, { scene, good: { signer, good } }) => {
    const files = numbered(count, scene, 32);
    swapIn(scene.directory, (target) => {
      for (const [name, content] of Object.entries(files)) writeFileSync(join(target, name), content);
    });
    await scene.refused(signer, 'more than 1024 files');
    await expectLastGood(scene, signer, good);
  });

  test('K19 1,024 files are not too many', async () => {
    await using scene = openScene();
    const files = numbered(1024, scene, 32);
    swapIn(scene.directory, (target) => {
      for (const [name, content] of Object.entries(files)) writeFileSync(join(target, name), content);
    });
    const signer = await scene.start();
    await signer.ready();
    expect((await scene.sign(signer, 'demo')).body).toMatchObject({
      signature: tagOf(Buffer.from(files['demo'] ?? '')),
    });
  });

  test('K13 one file as two key sets, of two algorithms', async () => {
    await using scene = openScene();
    writeVolume(scene.directory, { demo: scene.key(64) });
    writeConfig(scene, 'keys: { demo: { algorithm: HS256 }, other: { file: demo, algorithm: HS512 } }');
    const { valid, problems } = await scene.check();
    expect({ valid, problems }).toEqual({
      valid: false,
      problems: [expect.stringContaining('the same key')],
    });
  });
});

describe('names', () => {
  test('K18 each of these is a key set like any other', async () => {
    await using scene = openScene();
    const keys = Object.fromEntries(names.map((name) => [name, scene.key()]));
    const signer = await scene.serve(keys);
    for (const [name, key] of Object.entries(keys))
      expect((await scene.sign(signer, name.replaceAll('/', '.'))).body).toMatchObject({
        signature: tagOf(key),
      });
    const { body } = await scene.get(`${signer.url}/v1/keys`);
    const listed = (body['keys'] as readonly { name: string }[]).map(({ name }) => name);
    expect(listed.sort()).toEqual(names.map((name) => name.replaceAll('/', '.')).sort());
  });

  test('K18 names that begin with two dots are none', async () => {
    await using scene = openScene();
    const key = scene.key();
    writeVolume(scene.directory, { demo: key });
    for (const name of ['..2026_11_24_00_00_00.1', '..evil', '...'])
      writeFileSync(join(scene.directory, name), scene.key());
    const signer = await scene.start();
    await signer.ready();
    const { body } = await scene.get(`${signer.url}/v1/keys`);
    expect(body['keys']).toEqual([expect.objectContaining({ name: 'demo' })]);
    for (const name of ['..evil', '...', '..data']) expect((await scene.sign(signer, name)).status).toBe(404);
  });
});

describe('a set that is refused', () => {
  test('K06 is logged once, by name, and the next good one is taken', async () => {
    await using scene = openScene();
    const { signer, good } = await openGood(scene);
    writeVolume(scene.directory, { demo: scene.key(15), other: scene.key() });
    await scene.refused(signer, '"demo" is 15 bytes long');
    // Looked at again, it is the same reading, and there is nothing new to say.
    signer.process.kill('SIGHUP');
    expect((await scene.sign(signer, 'other')).status).toBe(404);
    await expectLastGood(scene, signer, good);
    const next = scene.key();
    writeVolume(scene.directory, { demo: next });
    await scene.signs(signer, 'demo', next);
    expect(await scene.status(signer)).toMatchObject({ generation: 2, problems: [] });
    const lines = signer
      .output()
      .split('\n')
      .filter((line) => line.includes('keys not loaded'));
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({
        level: 'warn',
        problems: [expect.stringMatching(/^"demo" is 15 bytes long/)],
      }),
    ]);
  });

  test('K27 a configuration that does not fit the keys, or is none, does not take the place of a good one', async () => {
    await using scene = openScene();
    writeConfig(scene, 'keys: { demo: {} }');
    const { signer, good } = await openGood(scene);
    for (const [config, problem] of [
      ['keys: { demo: {}, other: {} }', 'has no file of its name'],
      ['keys: { demo: { encoding: hex } }', 'is not hex'],
      ['keys: { demo: { allow: [everything] } }', 'allow'],
      ['keys: [', 'not valid YAML'],
      ['', 'must have the field "keys"'],
    ] as const) {
      writeConfig(scene, config);
      await waitFor(async () => (await scene.problems(signer)).join().includes(problem) || undefined);
      await expectLastGood(scene, signer, good);
    }
    writeConfig(scene, 'keys: { renamed: { file: demo } }');
    await scene.signs(signer, 'renamed', good);
    expect((await scene.sign(signer, 'demo')).status).toBe(404);
  });
});
