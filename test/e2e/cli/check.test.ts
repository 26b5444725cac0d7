/** `check`: what `serve` would load and every problem, as transcripts. */

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { keyId } from '../../../src/signing/mac.ts';
import { type Payload, writeVolume } from '../../support/atomic-writer.ts';
import { everythingPrinted, run } from '../../support/command.ts';
import { leaks } from '../../support/leaks.ts';
import { temporaryDirectory } from '../../support/signer.ts';

const demo = randomBytes(32);
const other = randomBytes(32);
const short = randomBytes(15);
const typed = Buffer.from(randomBytes(32).toString('hex'));

afterAll(() => {
  for (const key of [demo, other, short, typed]) expect(leaks(everythingPrinted(), key)).toEqual([]);
});

/** A volume as the kubelet mounts it, with files that only their owner reads. */
function mounted(payload: Payload): Disposable & { readonly keys: string; readonly path: string } {
  const directory = temporaryDirectory();
  const keys = join(directory.path, 'keys');
  writeVolume(keys, payload, 0o600);
  return Object.assign(directory, { keys });
}

describe('good keys', () => {
  it('are listed with their ids, without colours for what is no terminal, and the exit code is 0', async () => {
    using volume = mounted({ demo, other });
    expect(await run(['check', '--keys', volume.keys])).toEqual({
      code: 0,
      stdout: [
        `✓ demo   raw  HS256  sign, verify  key id ${keyId(demo)}`,
        `✓ other  raw  HS256  sign, verify  key id ${keyId(other)}`,
        '2 key sets, ready to serve',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('are one JSON document with --json', async () => {
    using volume = mounted({ demo });
    const { code, stdout, stderr } = await run(['check', '--keys', volume.keys, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      valid: true,
      keys: [
        {
          name: 'demo',
          format: 'raw',
          algorithm: 'HS256',
          allow: ['sign', 'verify'],
          keyIds: [keyId(demo)],
        },
      ],
      problems: [],
      notes: [],
    });
  });

  it('may come from several directories, and from the variable of the flag', async () => {
    using one = mounted({ demo });
    using two = mounted({ other });
    const args = ['check', '--json', '--keys', one.keys, '--keys', two.keys];
    const listed = await run(args);
    expect(JSON.parse(listed.stdout).keys).toHaveLength(2);
    const env = { SIGNER_KEYS: `${one.keys},${two.keys}` };
    expect(await run(['check', '--json'], { env })).toEqual(listed);
  });

  it('that others can read or write are noted, and not refused', async () => {
    using directory = temporaryDirectory();
    for (const [name, mode] of Object.entries({ demo: 0o644, other: 0o644, third: 0o666, own: 0o640 })) {
      writeFileSync(join(directory.path, name), randomBytes(32));
      chmodSync(join(directory.path, name), mode);
    }
    const { code, stdout } = await run(['check', '--keys', directory.path]);
    expect(code).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('!'))).toEqual([
      `! every user of this machine can read in ${directory.path}: demo, other`,
      `! every user of this machine can read and write in ${directory.path}: third`,
    ]);
  });

  it('are noted by the modes of the files themselves, in a volume and in its folders', async () => {
    using directory = temporaryDirectory();
    const keys = join(directory.path, 'keys');
    writeVolume(keys, { demo, 'group/other': other }, 0o644);
    const notes = async () => JSON.parse((await run(['check', '--json', '--keys', keys])).stdout).notes;
    expect(await notes()).toEqual([`every user of this machine can read in ${keys}: demo, group/other`]);
    chmodSync(join(keys, 'demo'), 0o600);
    expect(await notes()).toEqual([`every user of this machine can read in ${keys}: group/other`]);
    chmodSync(join(keys, 'group', 'other'), 0o600);
    expect(await notes()).toEqual([]);
  });

  it('are noted although one of the links leads nowhere', async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, 'demo'), demo, { mode: 0o644 });
    symlinkSync(join(directory.path, 'nowhere'), join(directory.path, 'dangling'));
    const { stdout } = await run(['check', '--keys', directory.path]);
    expect(stdout).toContain(`! every user of this machine can read in ${directory.path}: demo\n`);
  });
});

describe('bad keys', () => {
  const bad: Payload = {
    demo,
    short,
    empty: '',
    zeros: Buffer.alloc(32),
    typed: `${typed}\n`,
  };
  const problems: Readonly<Record<string, RegExp>> = {
    short: /^"short" is 15 bytes long; a key needs at least 16/,
    empty: /^"empty" is empty; write a key of at least 32 random bytes/,
    zeros: /^"zeros" is one byte repeated; generate a random key/,
    typed: /^"typed" is text that ends with a newline.*echo -n/,
  };

  it('are all reported at once, each with what to do, and the exit code is 1', async () => {
    using volume = mounted(bad);
    const { code, stdout, stderr } = await run(['check', '--keys', volume.keys]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    for (const problem of Object.values(problems)) {
      expect(lines.filter((line) => line.startsWith('✗ ') && problem.test(line.slice(2)))).toHaveLength(1);
    }
    expect(lines).toHaveLength(Object.keys(problems).length + 1);
    expect(lines.at(-1)).toBe('serve would not load these keys');
  });

  it('are listed with --json', async () => {
    using volume = mounted(bad);
    const { stdout } = await run(['check', '--json', '--keys', volume.keys]);
    const { length } = Object.keys(problems);
    expect(JSON.parse(stdout)).toMatchObject({ valid: false, keys: [], problems: { length } });
  });

  it('are those whose file has no usable name', async () => {
    using volume = mounted({ demo, 'not a name': other });
    const { code, stdout } = await run(['check', '--keys', volume.keys]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ "not a name" is not a usable name; use 1 to 253 of /);
  });

  it('are refused when one key is in two directories', async () => {
    using one = mounted({ demo });
    using two = mounted({ other: demo });
    const { code, stdout } = await run(['check', '--keys', one.keys, '--keys', two.keys]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^✗ .*"(?:demo|other)" .*"(?:demo|other)".*\n/);
  });
});

describe('a directory', () => {
  it('that does not exist is named, with what to do', async () => {
    using directory = temporaryDirectory();
    const missing = join(directory.path, 'missing');
    const { code, stdout, stderr } = await run(['check', '--keys', missing]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toContain(
      `${missing} does not exist (yet); mount the volume there, create it, or correct the path`,
    );
    expect(stdout).toContain('serve would not load these keys');
  });

  it('is /etc/signer/keys when none is given', async () => {
    const { code, stdout } = await run(['check']);
    expect(code).toBe(1);
    expect(stdout).toContain('/etc/signer/keys');
  });

  it('that is empty is named, with what to do', async () => {
    using directory = temporaryDirectory();
    const { code, stdout } = await run(['check', '--keys', directory.path]);
    expect(code).toBe(1);
    expect(stdout).toContain(`✗ ${directory.path}: the volume holds no file; put one into the secret\n`);
  });

  it('that is a file is named, with what to do', async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, 'demo');
    writeFileSync(file, demo);
    const { code, stdout } = await run(['check', '--keys', file]);
    expect(code).toBe(1);
    expect(stdout).toContain(`${file} is not a directory; mount the whole secret as a directory`);
  });

  it('that is one of two and bad is reported beside the good one', async () => {
    using volume = mounted({ demo });
    const empty = join(volume.path, 'empty');
    mkdirSync(empty);
    const { code, stdout } = await run(['check', '--keys', volume.keys, '--keys', empty]);
    expect(code).toBe(1);
    expect(stdout).toContain(`✗ ${empty}: the volume holds no file`);
  });
});
