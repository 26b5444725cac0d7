/** `keys add`, `promote` and `remove`, as transcripts: what they make of a JWK set. */

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../../support/command.ts';
import { temporaryDirectory } from '../../support/signer.ts';

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

interface WrittenKey {
  readonly kid: string;
  readonly alg?: string;
  readonly k: string;
}

let count = 0;
/** A file with a set whose primary is `old`, of this length and with these members. */
function setOf(length: number, members: object): string {
  const file = join(directory.path, `${count++}.jwks.json`);
  const key = { kty: 'oct', kid: 'old', k: randomBytes(length).toString('base64url'), ...members };
  writeFileSync(file, JSON.stringify({ primary: 'old', keys: [key] }));
  return file;
}

async function added(file: string, ...args: readonly string[]) {
  const { code, stderr } = await run(['keys', 'add', '--kid', 'new', ...args, file]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: `${file}: added new, which verifies\n` });
  const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: readonly WrittenKey[] };
  const key = keys.find(({ kid }) => kid === 'new');
  return { alg: key?.alg, bytes: Buffer.from(key?.k ?? '', 'base64url').length };
}

describe('keys add', () => {
  it('makes a key for what the primary is for, and as long', async () => {
    expect(await added(setOf(64, { alg: 'HS512' }))).toEqual({ alg: 'HS512', bytes: 64 });
    expect(await added(setOf(48, { alg: 'HS256' }))).toEqual({ alg: 'HS256', bytes: 48 });
    // The configuration says what it is for.
    expect(await added(setOf(64, {}))).toEqual({ alg: undefined, bytes: 64 });
  });

  it('makes none that is shorter than its tag, however short the primary is', async () => {
    expect(await added(setOf(16, { alg: 'HS384' }))).toEqual({ alg: 'HS384', bytes: 48 });
    expect(await added(setOf(16, {}))).toEqual({ alg: undefined, bytes: 32 });
  });

  it('makes a key for another algorithm where it is told to', async () => {
    expect(await added(setOf(64, { alg: 'HS512' }), '--algorithm', 'HS256')).toEqual({
      alg: 'HS256',
      bytes: 32,
    });
  });

  it('says why a step cannot be taken', async () => {
    const file = setOf(32, { alg: 'HS256' });
    const { code, stderr } = await run(['keys', 'add', '--kid', 'old', file]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `sidecar-signer: ${file}: the set has a key old already; give another --kid\n`,
    });
  });
});

describe('--json', () => {
  it('tells what each step has made of a file', async () => {
    const file = setOf(32, { alg: 'HS256' });
    const steps: readonly (readonly [readonly string[], string, string])[] = [
      [['add', file, '--kid', 'new'], 'new', 'old'],
      [['promote', file, 'new'], 'new', 'new'],
      [['remove', file, 'old'], 'old', 'new'],
    ];
    for (const [args, keyId, primary] of steps) {
      const { code, stdout, stderr } = await run(['keys', ...args, '--json']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(JSON.parse(stdout)).toEqual({ file, done: args[0], keyId, primary });
    }
  });

  it('names the entry of a manifest, and leaves standard output to the manifest', async () => {
    const made = await run(['keys', 'new', '-o', 'secret', '--kid', 'old', 'a.jwks.json']);
    const args = ['keys', 'add', '-', '--kid', 'new', '--json'];
    const { code, stdout, stderr } = await run(args, { input: made.stdout });
    expect(code).toBe(0);
    expect(stdout).toContain('kind: Secret');
    expect(JSON.parse(stderr)).toEqual({
      file: '-',
      entry: 'a.jwks.json',
      done: 'add',
      keyId: 'new',
      primary: 'old',
    });
  });
});

describe('a manifest from standard input', () => {
  const secret = 'apiVersion: v1\nkind: Secret\ndata: { s.jwks.json: e30= }\n';
  const steps = [
    ['add', '-', '--kid', 'two'],
    ['promote', '-', 'two'],
    ['remove', '-', 'two'],
    ['show', '-'],
  ];
  const refusals = async (input: string, ...more: readonly string[]) => {
    const done = await Promise.all(steps.map((step) => run(['keys', ...step, ...more], { input })));
    expect(done.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
      steps.map(() => ({ code: 1, stdout: '' })),
    );
    return [...new Set(done.map(({ stderr }) => stderr))];
  };

  it.each([
    ['a list without one', 'kind: List\nitems: [{ kind: ConfigMap }]\n', 'ConfigMap'],
    ['another kind', 'kind: ConfigMap\ndata: { s.jwks.json: "{}" }\n', 'ConfigMap'],
    ['several others', 'kind: ConfigMap\n---\nkind: Deployment\n', 'ConfigMap, Deployment'],
    ['a text', 'SECRET\n', 'none'],
    ['a kind that is none', 'kind: "SECRET 1"\n', 'none'],
    ['nothing, since the command before it failed', '', 'none'],
  ])('must be a Secret, and is told what it is: %s', async (_, input, kinds) => {
    for (const entry of [[], ['--entry', 's.jwks.json']]) {
      expect(await refusals(input, ...entry)).toEqual([
        `sidecar-signer: the manifest holds no Secret (kind: ${kinds}); give one as "kubectl get secret NAME -o yaml" writes it\n`,
      ]);
    }
  });

  it('must have the entry', async () => {
    expect(await refusals(secret, '--entry', 't.jwks.json')).toEqual([
      'sidecar-signer: --entry must name one entry of the Secret; it has: s.jwks.json\n',
    ]);
    expect(await refusals('kind: Secret\ndata: SECRET\n')).toEqual([
      'sidecar-signer: --entry must name one entry of the Secret; it has: none\n',
    ]);
  });

  it.each([
    ['kind: [\n', 'the manifest is not valid YAML (line 2)'],
    ['kind: Secret\ndata: { s.jwks.json: *SECRET }\n', 'the manifest is not valid YAML'],
  ])('must be YAML, aliases included: %j', async (input, message) => {
    expect(await refusals(input)).toEqual([`sidecar-signer: ${message}\n`]);
  });

  it('may be a list or several documents, and keeps its comments and its other objects', async () => {
    const made = await run(['keys', 'new', '-o', 'secret', '--kid', 'one', 's.jwks.json']);
    const data = /s\.jwks\.json: (\S+)/.exec(made.stdout)?.[1];
    const others = '# what comes first\nkind: ConfigMap\ndata: { a: yes } # as it is\n---\n';
    const item = `  - kind: Secret # the keys\n    data:\n      s.jwks.json: ${data} # the set\n`;
    const input = `${others}kind: List\nitems:\n${item}  - kind: Pod\n`;
    const { code, stdout } = await run(['keys', 'add', '-', '--kid', 'two'], { input });
    const written = /s\.jwks\.json: (\S+)/.exec(stdout)?.[1] ?? '';
    expect({ code, rest: stdout.replace(written, `${data}`) }).toEqual({ code: 0, rest: input });
    expect(JSON.parse(Buffer.from(written, 'base64').toString())).toMatchObject({
      primary: 'one',
      keys: [{ kid: 'one' }, { kid: 'two' }],
    });
    const shown = await run(['keys', 'show', '-'], { input: stdout });
    expect(shown.stdout).toMatch(/^one .*primary.*\ntwo .*verifies\n$/s);
    const checked = await run(['check', '--secret', '-'], { input: stdout });
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('1 key set, ready to serve') });
  });
});
