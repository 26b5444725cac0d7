import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/signer.ts';
import { docker, inspect } from './container.ts';
import { image } from './obstacle.ts';

const root = join(import.meta.dirname, '../..');
const mebibyte = 2 ** 20;

interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly StopSignal: string;
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
  readonly ExposedPorts?: object;
}

describe('the image', () => {
  test('runs the binary, and only that, as a numeric user who is not root', () => {
    const config = inspect<ImageConfig>(image, '.Config');
    expect(config).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['/sidecar-signer'],
      Cmd: ['serve'],
      StopSignal: 'SIGTERM',
      WorkingDir: '/var/empty',
      // In exec form: there is no shell that could run the other.
      Healthcheck: { Test: ['CMD', '/sidecar-signer', 'healthcheck'] },
    });
    expect(config.ExposedPorts).toBeUndefined();
    expect(config.Env.map((each) => each.split('=')[0]).filter((name) => name !== 'SSL_CERT_FILE')).toEqual([
      'PATH',
    ]);
  });

  test('says in its labels what it is, of which version and from which commit', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    const labels = inspect<ImageConfig>(image, '.Config').Labels;
    expect(labels).toMatchObject({
      'org.opencontainers.image.title': 'sidecar-signer',
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    expect(docker('run', '--rm', '--network=none', image, '--version').output.trim()).toBe(version);
  });

  test('has no shell and no other program', () => {
    for (const program of [
      '/bin/sh',
      '/bin/bash',
      '/bin/busybox',
      '/usr/bin/env',
      '/usr/bin/node',
      '/usr/bin/npm',
    ]) {
      const { ok, output } = docker('run', '--rm', '--network=none', '--entrypoint', program, image);
      expect({ program, ok }).toEqual({ program, ok: false });
      expect(output).toMatch(/no such file or directory/);
    }
  });

  test('adds to its base one file, which its user cannot write, and an empty working directory', () => {
    const { ok, output: id } = docker('create', '--network=none', image);
    expect(ok).toBe(true);
    try {
      const list = (path: string) => docker('cp', '--archive', `${id.trim()}:${path}`, '-').stdout;
      expect(entries(list('/var/empty'))).toEqual([{ name: 'empty/', uid: 0, mode: 0o755, bytes: 0 }]);
      const [binary, ...others] = entries(list('/sidecar-signer'));
      expect(others).toEqual([]);
      expect(binary).toMatchObject({ name: 'sidecar-signer', uid: 0, mode: 0o755 });
    } finally {
      docker('rm', id.trim());
    }
    // Each step of the Dockerfile after the base that changes files is one layer.
    const steps = docker('history', '--format', '{{.Size}} {{.CreatedBy}}', '--no-trunc', image).output.split(
      '\n',
    );
    const written = steps.filter(
      (step) => /^(?!0B ).*(?:COPY|ADD|RUN|WORKDIR) /.test(step) && step.includes('buildkit'),
    );
    expect(written).toHaveLength(1);
    expect(written[0]).toContain('COPY /sidecar-signer /sidecar-signer');
  });

  test('holds nothing of the machine that built it: no certificate, registry or token', () => {
    const layers = docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', image).output;
    expect(layers).not.toMatch(/npm_config|NODE_EXTRA_CA_CERTS|token/i);
    expect(inspect<ImageConfig>(image, '.Config').Env.join()).not.toMatch(/npm|NODE_/);
  });

  test('is at most 60 MB to pull', { timeout: 120_000 }, async () => {
    const save = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'inherit'] });
    let bytes = 0;
    for await (const chunk of save.stdout.pipe(createGzip())) bytes += (chunk as Buffer).length;
    console.log(`compressed image: ${(bytes / 1e6).toFixed(1)} MB`);
    expect(bytes).toBeGreaterThan(mebibyte);
    expect(bytes).toBeLessThan(60e6);
  });
});

describe('the Dockerfile', () => {
  test('compiles for another architecture without emulating it', { timeout: 600_000 }, () => {
    using directory = temporaryDirectory();
    const { ok, output } = docker(
      'build',
      '--platform=linux/arm64',
      '--target=binary',
      `--output=type=local,dest=${directory.path}`,
      '--build-arg=BUILD_IMAGE',
      '--build-arg=RUNTIME_IMAGE',
      '--file',
      join(root, 'docker/Dockerfile'),
      root,
    );
    expect(ok, output.split('\n').slice(-15).join('\n')).toBe(true);
    const binary = readFileSync(join(directory.path, 'sidecar-signer'));
    const elf = { magic: binary.toString('latin1', 0, 4), bits: binary[4], machine: binary.readUInt16LE(18) };
    // ELF64, EM_AARCH64.
    expect(elf).toEqual({ magic: '\x7fELF', bits: 2, machine: 183 });
    expect(binary.includes('/lib/ld-linux-aarch64.so.1')).toBe(true);
    expect(createHash('sha256').update(binary).digest('hex')).toMatch(/^[0-9a-f]{64}$/);
  });
});

/** Names, owners and modes in a tar archive (POSIX.1-2001 ustar header). */
function entries(tar: Buffer): { name: string; uid: number; mode: number; bytes: number }[] {
  const found = [];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const text = (from: number, length: number) =>
      tar.toString('latin1', at + from, at + from + length).split('\0')[0] ?? '';
    const bytes = Number.parseInt(text(124, 12), 8);
    found.push({
      name: text(0, 100),
      uid: Number.parseInt(text(108, 8), 8),
      mode: Number.parseInt(text(100, 8), 8) & 0o7777,
      bytes,
    });
    at += 512 + Math.ceil(bytes / 512) * 512;
  }
  return found;
}
