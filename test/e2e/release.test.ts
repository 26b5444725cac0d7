/** What a release has, as the scripts of .ci/ make it in a copy of the repository. */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binary } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');
mkdirSync(join(root, 'dist'), { recursive: true });
/** Within the checkout, so that the installed packages can be linked. */
const place = mkdtempSync(join(root, 'dist/release-'));
const copy = join(place, 'copy');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  // In a workflow of GitHub, the tests must not take the repository for their own.
  const { GITHUB_REPOSITORY: _, ...inherited } = process.env;
  return spawnSync(command, args, { cwd: copy, encoding: 'utf8', env: { ...inherited, ...env } });
}
const output = ({ status, stdout, stderr }: SpawnSyncReturns<string>) => `${status} ${stdout}${stderr}`;
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
/** Changes a file of the copy until it is disposed of. Its time stays, so that no script installs the packages anew. */
function edit(path: string, change: (text: string) => string): Disposable {
  const file = join(copy, path);
  const { atime, mtime } = statSync(file);
  const before = readFileSync(file, 'utf8');
  const write = (text: string) => {
    writeFileSync(file, text);
    utimesSync(file, atime, mtime);
  };
  write(change(before));
  expect(readFileSync(file, 'utf8')).not.toBe(before);
  return { [Symbol.dispose]: () => write(before) };
}

beforeAll(() => {
  mkdirSync(copy);
  const names = ['.ci', 'docker', 'docs', 'src', 'test', 'package.json', 'package-lock.json'];
  for (const name of [
    ...names,
    '.npmrc',
    '.biome.json',
    '.gitignore',
    'tsconfig.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
  ]) {
    const filter = (path: string) => !path.includes('node_modules');
    cpSync(join(root, name), join(copy, name), { recursive: true, preserveTimestamps: true, filter });
  }
  // Links to the files: a link to the folder would let npm empty that of the checkout.
  expect(output(run('cp', ['--archive', '--link', join(root, 'node_modules'), copy]))).toBe('0 ');
}, 120_000);
afterAll(() => rmSync(place, { recursive: true }));

describe('release-files', () => {
  let printed: string;
  const release = (name: string) => join(copy, 'release', name);
  beforeAll(() => {
    printed = output(run('.ci/release-files', []));
  }, 300_000);

  it('makes the binaries, the npm package and the schemas, with their checksums', () => {
    expect(printed).toMatch(/^0 /);
    const sums = readFileSync(release('SHA256SUMS'), 'utf8').trim().split('\n');
    const names = [
      'openapi.json',
      `sidecar-signer-${version}-linux-amd64`,
      `sidecar-signer-${version}-linux-arm64`,
      `sidecar-signer-${version}.tgz`,
      'signer.schema.json',
    ];
    expect(sums).toEqual(names.map((name) => `${sha256(release(name))}  ${name}`));
    expect(readdirSync(join(copy, 'release')).sort()).toEqual(['SHA256SUMS', ...names].sort());
    expect(readFileSync(release('openapi.json'))).toEqual(readFileSync(join(root, 'docs/openapi.json')));
  });

  it('makes the binary that npm run build makes, byte for byte', () => {
    // The binary of the suite is for the architecture of this machine.
    const own = release(`sidecar-signer-${version}-linux-${process.arch === 'arm64' ? 'arm64' : 'amd64'}`);
    expect(sha256(own)).toBe(sha256(binary));
    expect(spawnSync(own, ['--version'], { encoding: 'utf8' }).stdout).toBe(`${version}\n`);
  });

  it('makes each binary for its architecture', () => {
    // The field e_machine of the ELF header.
    const machine = (name: string) => readFileSync(release(name)).readUInt16LE(18);
    expect(machine(`sidecar-signer-${version}-linux-amd64`)).toBe(0x3e);
    expect(machine(`sidecar-signer-${version}-linux-arm64`)).toBe(0xb7);
  });

  it('makes a package without a fault that publint finds', async () => {
    const pack = async (name: string) => {
      const file = readFileSync(join(copy, 'release', name));
      const { messages, pkg } = await publint({
        pack: { tarball: Uint8Array.from(file).buffer },
        strict: true,
      });
      return messages.map((message) => formatMessage(message, pkg, { color: false }));
    };
    expect(await pack(`sidecar-signer-${version}.tgz`)).toEqual([]);
    using _ = edit('package.json', (text) =>
      text
        .replace('./dist/client/index.d.ts', './dist/client/missing.d.ts')
        .replace('"module"', '"commonjs"'),
    );
    const broken = join(place, 'broken');
    mkdirSync(broken);
    expect(output(run('npm', ['pack', '--ignore-scripts', '--pack-destination', broken]))).toMatch(/^0 /);
    cpSync(join(broken, `sidecar-signer-${version}.tgz`), release('broken.tgz'));
    const found = (await pack('broken.tgz')).join('\n');
    expect(found).toContain('missing.d.ts');
    expect(found).toMatch(/CommonJS|CJS|ESM/);
  });

  it('packs the libraries with their declarations, and nothing else', () => {
    const listed = run('tar', ['-tzf', release(`sidecar-signer-${version}.tgz`)])
      .stdout.trim()
      .split('\n');
    const isExpected = (path: string) =>
      /^package\/(?:package\.json|README\.md|LICENSE|dist\/(?:api|client|secret-volume)\/[\w-]+\.(?:js|d\.ts))$/.test(
        path,
      );
    expect(listed.filter((path) => !isExpected(path))).toEqual([]);
    for (const name of ['client', 'secret-volume']) {
      expect(listed).toContain(`package/dist/${name}/index.js`);
      expect(listed).toContain(`package/dist/${name}/index.d.ts`);
    }
  });

  it('refuses a runtime that is not the one of the lock file, and an architecture that it does not know', () => {
    using _ = edit('package-lock.json', (text) =>
      text.replace(/("node_modules\/@oven\/bun-linux-aarch64": \{[^}]*"integrity": "sha512-)./, '$1_'),
    );
    expect(output(run('.ci/release-files', ['arm64']))).toMatch(
      /^1 .*@oven\/bun-linux-aarch64 is not what package-lock\.json has/s,
    );
    expect(output(run('.ci/release-files', ['riscv64']))).toMatch(/^1 .*unknown architecture riscv64/s);
  });
});

describe('release-check', () => {
  const git = (...args: string[]) =>
    run('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args]);
  const check = (tag: string, env = {}) => output(run('.ci/release-check', [tag], env));
  beforeAll(() => {
    writeFileSync(
      join(copy, 'CHANGELOG.md'),
      `# Changelog\n\n## ${version}0 · 2027\n\n- Other.\n\n## ${version} · 2027-01-15\n\n- First.\n- Second.\n\n## 0.0.9\n\n- Old.\n`,
    );
    git('init', '--quiet');
    git('add', '--all');
    git('commit', '--quiet', '--message', 'all');
  });

  it('accepts the tag of the version, and prints its notes', () => {
    expect(check(`v${version}`)).toMatch(new RegExp(`^0 v${RegExp.escape(version)} can be released\n`));
    expect(run('.ci/release-notes', []).stdout).toBe('- First.\n- Second.\n\n');
  });

  it('refuses another tag', () => {
    expect(check('v9.9.9')).toMatch(/^1 .*the tag must be v/s);
    expect(check(version)).toMatch(/^1 .*the tag must be v/s);
    expect(output(run('.ci/release-check', []))).toMatch(/^1 .*usage: release-check TAG/s);
  });

  it('refuses a version that the changelog does not have', () => {
    using _ = edit('CHANGELOG.md', (text) => text.replace(`## ${version} `, '## Unreleased '));
    expect(check(`v${version}`)).toMatch(/^1 .*CHANGELOG\.md has no section/s);
  });

  it('refuses documents that the code does not generate', () => {
    using _ = edit('docs/openapi.json', (text) => text.replace('Keeps HMAC keys', 'Keeps keys'));
    git('commit', '--quiet', '--all', '--message', 'another document');
    expect(check(`v${version}`)).toMatch(/^1 .*docs\/ is not as the code generates it/s);
    git('reset', '--quiet', '--hard', 'HEAD~1');
  });

  it('refuses a package whose repository is not the one that signs', () => {
    const env = { GITHUB_REPOSITORY: 'example/sidecar-signer' };
    expect(check(`v${version}`, env)).toMatch(/^1 .*"repository" in package\.json must be git\+https/s);
    using _ = edit('package.json', (text) =>
      text.replace(
        '"license"',
        '"repository": { "type": "git", "url": "git+https://github.com/example/sidecar-signer.git" },\n  "license"',
      ),
    );
    expect(check(`v${version}`, env)).toMatch(/^0 /);
  });
});

describe('docker/renew-bases', () => {
  const digests = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);
  /** In the place of Docker, which would ask the registries. */
  const renew = (answer: string) => {
    const folder = join(place, 'bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, 'docker'),
      `#!/bin/sh\n[ "$1 $2 $3" = "buildx imagetools inspect" ] || exit 9\n${answer}\n`,
    );
    chmodSync(join(folder, 'docker'), 0o755);
    return output(run('docker/renew-bases', [], { PATH: `${folder}:${process.env['PATH']}` }));
  };
  const bases = () => readFileSync(join(copy, 'docker/Dockerfile'), 'utf8').match(/^ARG \w+_IMAGE=.*$/gm);

  it('writes the digest of each image, whose name and tag stay', () => {
    const before = bases() ?? [];
    expect(before).toHaveLength(2);
    for (const line of before) expect(line).toMatch(/^ARG \w+_IMAGE=[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
    const answer = `case "$4" in node:*) echo ${digests[0]} ;; gcr.io/*) echo ${digests[1]} ;; esac`;
    expect(renew(answer)).toMatch(/^0 node:\S+ is now sha256:a+\ngcr\.io\/\S+ is now sha256:b+\n$/);
    expect(bases()).toEqual(before.map((line, index) => line.replace(/sha256:.*/, digests[index] ?? '')));
    expect(renew(answer)).toBe('0 ');
  });

  it('changes nothing if it gets no digest', () => {
    const before = bases();
    expect(renew('echo latest')).toMatch(/^1 renew-bases: no digest for node:/);
    expect(renew('exit 1')).toMatch(/^1 /);
    expect(bases()).toEqual(before);
  });
});
