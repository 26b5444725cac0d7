/** What comes out of the signer about keys that are in the wrong place, and about files with hostile names. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../support/command.ts';
import { isRoot } from '../support/process.ts';
import { waitFor } from '../support/signer.ts';
import { openScene, type Scene, tagOf, writeConfig, writePlain } from './scene.ts';

/** A key that stands in a member that is public. The scene searches everything that comes out for it. */
const misplaced = (scene: Scene) => scene.key(32).toString('base64url');

describe('K30 a key that stands in the place of a kid', () => {
  const swapped = (scene: Scene) => {
    const kid = misplaced(scene);
    const good = { kty: 'oct', kid: 'good', k: randomBytes(32).toString('base64url') };
    return [
      // Decodes, to five bytes.
      { primary: kid, keys: [{ kty: 'oct', kid, k: 'c2hvcnQ' }] },
      { primary: 'good', keys: [good, { kty: 'oct', kid, k: 'c2hvcnQ' }] },
      { primary: kid, keys: [{ kty: 'oct', kid, k: '2026-11' }] },
      { primary: kid, keys: [{ kty: 'oct', kid, k: '2026-11', alg: 'HS512' }, good] },
      {
        primary: 'good',
        keys: [
          good,
          { kty: 'oct', kid: 'a', k: randomBytes(32).toString('base64url'), [kid]: 1 },
          { kty: kid, kid: 'b' },
        ],
      },
      { primary: 'good', keys: [good, { kty: 'oct', kid, k: '2026-11' }, { kty: 'oct', kid, k: '2026-11' }] },
    ];
  };

  test('is in no message of serve or check, and in no answer', async () => {
    await using scene = openScene();
    writePlain(scene.directory, { demo: scene.key() });
    const signer = await scene.start();
    await signer.ready();
    /** How many contents were put to use or refused. */
    const decisions = async () => {
      const { body } = await scene.get(`${signer.opsUrl}/status`);
      const [volume] = body['volumes'] as readonly { generation: number; rejected: number }[];
      return (volume?.generation ?? 0) + (volume?.rejected ?? 0);
    };
    for (const set of swapped(scene)) {
      const before = await decisions();
      writePlain(scene.directory, { demo: scene.key(), 'set.jwks.json': JSON.stringify(set) });
      await scene.check();
      await waitFor(async () => (await decisions()) > before || undefined);
      await scene.problems(signer);
    }
  });

  test('is in no message of the commands for keys', async () => {
    await using scene = openScene();
    for (const set of swapped(scene)) {
      const file = join(scene.path, 'set.jwks.json');
      writeFileSync(file, JSON.stringify(set));
      const kid = set.keys.find(({ kid }) => kid !== 'good')?.kid ?? '';
      for (const command of [
        ['show', file],
        ['show', '--json', file],
        ['promote', file, 'x'],
        ['remove', file, 'x'],
        ['add', file],
      ]) {
        const { stdout, stderr } = await run(['keys', ...command]);
        if (kid.length > 40) expect(stdout + stderr).not.toContain(kid);
      }
      for (const more of [[], ['--json']]) {
        const input = 'Sec-Signer-Signature: 00\n\nhello';
        const { stdout, stderr } = await run(['explain', 'set.jwks.json', '--keys', scene.path, ...more], {
          input,
        });
        expect(stdout + stderr).toContain('set.jwks.json');
        if (kid.length > 40) expect(stdout + stderr).not.toContain(kid);
      }
    }
  });

  test('is said by its place, with what to do', async () => {
    await using scene = openScene();
    const kid = misplaced(scene);
    writePlain(scene.directory, {
      'set.jwks.json': JSON.stringify({ primary: kid, keys: [{ kty: 'oct', kid, k: 'c2hvcnQ' }] }),
    });
    const { problems } = await scene.check();
    expect(problems).toEqual([expect.stringMatching(/^"set\.jwks\.json" keys\.0: is 5 bytes long/)]);
    const { stderr } = await run(['keys', 'show', join(scene.directory, 'set.jwks.json')]);
    expect(stderr).toContain('keys.0: "kid" and "k" seem to be exchanged');
  });

  test('in a set that is let in is noted', async () => {
    await using scene = openScene();
    const kid = randomBytes(32).toString('base64url');
    writePlain(scene.directory, {
      'set.jwks.json': JSON.stringify({ primary: kid, keys: [{ kty: 'oct', kid, k: 'c2hvcnQ' }] }),
    });
    writeConfig(scene, 'keys: { s: { file: set.jwks.json, allowWeakKey: true } }');
    const { notes } = await scene.check();
    expect(notes).toContainEqual(expect.stringContaining('may have "kid" and "k" exchanged in keys.0'));
    expect(notes.join()).not.toContain(kid);
  });
});

describe('K31 a name of a file that a terminal would obey', () => {
  const names = [
    'a\u001b[31mred',
    'a\u001b]0;title\u0007',
    'a\n✓ fake  raw  HS256  sign, verify  key id 0000000000000000',
    'a\r\u001b[2K5 key sets, ready to serve',
    'a\u009b31m',
    'a\u202egnp.exe',
    'a\u2066b\u2069',
    'a\u200bb',
    'a\u2028b',
    'a\u007f',
    'a\tb',
  ];
  const obeyed = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

  test.for(names)('name %# is escaped in all that check and the log say', async (name) => {
    await using scene = openScene();
    writePlain(scene.directory, { demo: scene.key(), [name]: scene.key() });
    chmodSync(join(scene.directory, name), 0o666);
    const { stdout, stderr, code } = await run(['check', '--keys', scene.directory]);
    expect(code).toBe(1);
    for (const line of `${stdout}${stderr}`.split('\n')) expect(line).not.toMatch(obeyed);
    expect(stdout).toContain('\\u');
    expect(stdout).not.toMatch(/^✓ fake|^5 key sets/m);

    const json = await run(['check', '--json', '--keys', scene.directory]);
    expect(json.stdout.trimEnd()).not.toMatch(obeyed);
    expect(JSON.parse(json.stdout).problems.join()).toContain('is not a usable name');

    const signer = await scene.start();
    await scene.refused(signer, 'is not a usable name');
    for (const line of signer.output().trimEnd().split('\n')) expect(line).not.toMatch(obeyed);
  });

  test('in a directory, of the directory itself, and in what a command fails with', async () => {
    await using scene = openScene();
    const directory = join(scene.path, 'a\u001b[31m\nb');
    mkdirSync(join(directory, 'c\u001b[32m'), { recursive: true });
    symlinkSync('/etc/hostname', join(directory, 'c\u001b[32m', 'link\u009b'));
    for (const args of [
      ['check', '--keys', directory],
      ['check', '--keys', join(directory, 'missing')],
      ['keys', 'show', join(directory, 'none')],
      ['keys', 'new', join(directory, 'key')],
      ['keys', 'new', join(directory, 'key')],
      ['explain', 'demo', join(directory, 'request')],
      ['explain', 'demo', '--headers', join(directory, 'head'), '--body', join(directory, 'body')],
      ['serve', '--keys', directory, '--listen', 'none', '--ops-listen', 'none', '--socket', directory],
    ]) {
      const { stdout, stderr } = await run(args);
      for (const line of `${stdout}${stderr}`.split('\n')) expect(line).not.toMatch(obeyed);
      expect(stdout + stderr).toContain('\\u001b');
    }
  });

  test('a configuration can name what a tool writes, and nothing that a terminal obeys', async () => {
    await using scene = openScene();
    const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders-AbCdEf';
    const [key, other] = [scene.key(), scene.key()];
    writePlain(scene.directory, { [arn]: key, 'Schlüssel für Aufträge 🔑': other, 'b\u001b': 'x' });
    writeConfig(scene, `keys:\n  orders: { file: "${arn}" }\n  other: { file: Schlüssel für Aufträge 🔑 }\n`);
    const signer = await scene.start();
    await signer.ready();
    expect((await scene.sign(signer, 'orders')).body).toMatchObject({ signature: tagOf(key) });
    expect((await scene.sign(signer, 'other')).body).toMatchObject({ signature: tagOf(other) });
    expect(await scene.check()).toMatchObject({ valid: true });
  });

  test('without a configuration, one such name refuses the directory and says how to use it', async () => {
    await using scene = openScene();
    writePlain(scene.directory, { demo: scene.key(), 'arn:aws:x': scene.key() });
    const { valid, problems } = await scene.check();
    expect(valid).toBe(false);
    expect(problems).toEqual([
      expect.stringMatching(
        /^"arn:aws:x" is not a usable name; .*name the file in a configuration \("file"\)$/,
      ),
    ]);
  });
});

describe('K32 what lies beside the files that a configuration names', () => {
  const beside: readonly (readonly [string, (directory: string) => unknown])[] = [
    [
      'a file that cannot be read',
      (directory) => {
        writeFileSync(join(directory, 'other'), 'x');
        chmodSync(join(directory, 'other'), 0o640);
      },
    ],
    ['lost+found', (directory) => mkdirSync(join(directory, 'lost+found'), { mode: 0o700 })],
    ['a directory that cannot be entered', (directory) => mkdirSync(join(directory, 'private'), { mode: 0 })],
    ['a FIFO', (directory) => execFileSync('mkfifo', [join(directory, 'fifo')])],
    ['a loop of links', (directory) => symlinkSync('loop', join(directory, 'loop'))],
    ['a link to the directory above', (directory) => symlinkSync('..', join(directory, 'up'))],
    ['a link to nothing', (directory) => symlinkSync('nothing', join(directory, 'gone'))],
    ['a link to a device', (directory) => symlinkSync('/dev/zero', join(directory, 'zero'))],
    [
      'a name that is not UTF-8',
      (directory) => writeFileSync(Buffer.from(`${directory}/\xff\xfe`, 'latin1'), 'x'),
    ],
    ['an empty file', (directory) => writeFileSync(join(directory, 'empty'), '')],
    ['2 MiB', (directory) => writeFileSync(join(directory, 'large'), Buffer.alloc(2 ** 21))],
    ['deep directories', (directory) => mkdirSync(join(directory, 'a/b/c/d/e/f/g'), { recursive: true })],
    [
      '3,000 files',
      (directory) => {
        for (let index = 0; index < 3000; index++) writeFileSync(join(directory, `file-${index}`), 'x');
      },
    ],
  ];

  test.for(beside)(
    '%s keeps nothing from loading, and no rotation away',
    { timeout: 120_000 },
    async ([, make], { skip }) => {
      skip(!isRoot, 'the files are of another user');
      await using scene = openScene();
      chmodSync(scene.path, 0o755);
      const [first, second] = [scene.key(), scene.key()];
      writePlain(scene.directory, { orders: first });
      make(scene.directory);
      chmodSync(join(scene.directory, 'orders'), 0o644);
      writeConfig(scene, 'keys: { orders: {} }');
      const signer = await scene.start({ uid: 65532, gid: 65532 });
      await signer.ready();
      expect((await scene.sign(signer, 'orders')).body).toMatchObject({ signature: tagOf(first) });
      writeFileSync(join(scene.directory, 'orders'), second);
      await scene.signs(signer, 'orders', second);
      expect(await scene.problems(signer)).toEqual([]);
      expect(await scene.check()).toMatchObject({ valid: true, problems: [] });
    },
  );
});
