/** `keys derive`: a tenant's secret where it may be exported, and what to do where it may not, as transcripts. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeKey } from '../../../src/key-sets/key-encoding.ts';
import { keyId } from '../../../src/signing/mac.ts';
import { writeVolume } from '../../support/atomic-writer.ts';
import { run } from '../../support/command.ts';
import { leaks } from '../../support/leaks.ts';
import { temporaryDirectory } from '../../support/signer.ts';

const root = randomBytes(32);
const other = randomBytes(32);
const plain = randomBytes(32);
const roots = { old: randomBytes(32), new: randomBytes(32) };
const jwks = JSON.stringify({
  primary: 'old',
  keys: Object.entries(roots).map(([kid, key]) => ({ kty: 'oct', kid, k: key.toString('base64url') })),
});
const yaml = `keys:
  hooks: { deriveFrom: root, format: standard-webhooks, allowExport: true, tenants: [acme, globex] }
  closed: { deriveFrom: other, format: github }
  rotating: { deriveFrom: roots.jwks.json, format: jwt, allowExport: true }
  plain: {}
`;

const directory = temporaryDirectory();
const keys = join(directory.path, 'keys');
const config = join(directory.path, 'config/signer.yaml');
const derive = (...args: readonly string[]) =>
  run(['keys', 'derive', ...args, '--keys', keys, '--config', config]);

beforeAll(() => {
  writeVolume(keys, { root, other, plain, 'roots.jwks.json': jwks }, 0o600);
  writeVolume(join(directory.path, 'config'), { 'signer.yaml': yaml }, 0o600);
});
afterAll(() => directory[Symbol.dispose]());

describe('a secret that may be exported', () => {
  it('is printed alone, in the encoding of its receivers', async () => {
    const { code, stdout, stderr } = await derive('hooks', 'acme');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
    expect(await derive('hooks', 'acme')).toEqual({ code, stdout, stderr });
    expect((await derive('hooks', 'globex')).stdout).not.toBe(stdout);
    expect(leaks(stdout, root)).toEqual([]);
  });

  it('is one JSON document with --json, which says how it is written and has the id that answers have', async () => {
    const { stdout } = await derive('hooks', 'acme');
    const { code, stdout: json, stderr } = await derive('hooks', 'acme', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const decoded = decodeKey(Buffer.from(stdout), 'whsec');
    expect(JSON.parse(json)).toEqual({
      name: 'hooks',
      tenant: 'acme',
      format: 'standard-webhooks',
      algorithm: 'HS256',
      keyId: decoded.ok ? keyId(decoded.value.bytes) : decoded.problems,
      encoding: 'whsec',
      secret: stdout.trim(),
    });
  });

  it('is derived from the primary root, or from another one by its id, before it is promoted', async () => {
    const [primary, old, next] = await Promise.all([
      derive('rotating', 'acme'),
      derive('rotating', 'acme', '--root', 'old'),
      derive('rotating', 'acme', '--root', 'new'),
    ]);
    expect(primary).toEqual(old);
    expect(next.code).toBe(0);
    expect(next.stdout).toMatch(/^[\w-]{43}\n$/);
    expect(next.stdout).not.toBe(old.stdout);
  });

  it('is found by the variables of the flags, too', async () => {
    const { stdout } = await derive('hooks', 'acme');
    const env = { SIGNER_KEYS: keys, SIGNER_CONFIG: config };
    expect(await run(['keys', 'derive', 'hooks', 'acme'], { env })).toEqual({ code: 0, stdout, stderr: '' });
  });
});

describe('without a secret on any output', () => {
  it.each<[string, readonly string[], string]>([
    [
      'a key set that does not allow it',
      ['closed', 'acme'],
      `the secrets of "closed" must not be exported; to allow it, set keys.closed.allowExport: true in ${config}`,
    ],
    [
      'a key set with a key of its own',
      ['plain', 'acme'],
      '"plain" has no derived keys; in the configuration, give it deriveFrom in place of a key',
    ],
    [
      'a tenant that is not served',
      ['hooks', 'initech'],
      `"hooks" does not serve this tenant; add it to keys.hooks.tenants in ${config}`,
    ],
    ...['', 'a b'].map((tenant): [string, readonly string[], string] => [
      `the tenant ${JSON.stringify(tenant.slice(0, 5))}`,
      ['hooks', tenant],
      'the name of the tenant is not valid; use 1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."',
    ]),
    [
      'a key set that there is not',
      ['hoks', 'acme'],
      'there is no key set of this name; there are: closed, hooks, plain, rotating',
    ],
    [
      'a root that there is not',
      ['rotating', 'acme', '--root', 'newer'],
      '"rotating" has no root of this id (--root); it has: old, new',
    ],
  ])('refuses %s', async (_, args, message) => {
    expect(await derive(...args)).toEqual({ code: 1, stdout: '', stderr: `sidecar-signer: ${message}\n` });
  });

  it('refuses keys that serve would not load, with every problem', async () => {
    using broken = temporaryDirectory();
    writeVolume(join(broken.path, 'keys'), { root: randomBytes(16), short: randomBytes(8) });
    writeVolume(join(broken.path, 'config'), {
      'signer.yaml': 'keys: { hooks: { deriveFrom: root, allowExport: true }, short: {} }',
    });
    const args = ['--keys', join(broken.path, 'keys'), '--config', join(broken.path, 'config/signer.yaml')];
    const { code, stdout, stderr } = await run(['keys', 'derive', 'hooks', 'acme', ...args]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^sidecar-signer: the keys cannot be loaded: "hooks" is 16 bytes long; .*"short" is 8 bytes/,
    );
  });

  it('refuses to be without a configuration, which alone allows it', async () => {
    expect(await run(['keys', 'derive', 'hooks', 'acme', '--keys', keys])).toEqual({
      code: 2,
      stdout: '',
      stderr: "error: required option '--config <file>' not specified\n(see --help)\n",
    });
  });

  it('refuses to run where code could be put into it', async () => {
    const env = { BUN_OPTIONS: '--smol' };
    const { code, stdout, stderr } = await run(
      ['keys', 'derive', 'hooks', 'acme', '--keys', keys, '--config', config],
      { env },
    );
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('refusing to read keys with');
  });
});

it('check shows whose keys are derived, and whether they may be exported', async () => {
  const args = ['check', '--keys', keys, '--config', config];
  const [text, json] = await Promise.all([run(args), run([...args, '--json'])]);
  expect(text.stdout).toContain(
    `✓ hooks     standard-webhooks  HS256  sign, verify  derived for 2 tenants, export allowed  root id ${keyId(root)}\n`,
  );
  expect(text.stdout).toContain(
    `✓ closed    github  HS256  sign, verify  derived for any tenant  root id ${keyId(other)}\n`,
  );
  const derived = JSON.parse(json.stdout).keys.map((each: { name: string; derived?: object }) => [
    each.name,
    each.derived,
  ]);
  expect(derived).toEqual([
    ['closed', { tenants: null, allowExport: false }],
    ['hooks', { tenants: 2, allowExport: true }],
    ['plain', undefined],
    ['rotating', { tenants: null, allowExport: true }],
  ]);
  expect(leaks(text.stdout + json.stdout, root)).toEqual([]);
});
