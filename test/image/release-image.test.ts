/** The image of a release, as far as the engine of the tests can build it: without attestations, for one architecture. */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../support/signer.ts';
import { image } from './obstacle.ts';

const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const docker = (...args: readonly string[]) => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The program in an image. */
function programOf(image: string, folder: string): string {
  const container = docker('create', image);
  const file = join(folder, image.replaceAll(/\W/g, '-'));
  try {
    docker('cp', `${container}:/sidecar-signer`, file);
  } finally {
    docker('rm', container);
  }
  return sha256(file);
}

it('has the version, the commit, and the program that npm run image builds', () => {
  const tag = `signer-release-test:${version}`;
  onTestFinished(() => void docker('rmi', '--force', tag));
  // An Engine with its own image store cannot write attestations.
  const options = ['--provenance=false', '--load'];
  const env = {
    ...process.env,
    BUILDX_BUILDER: 'default',
    PLATFORMS: docker('version', '--format', 'linux/{{.Server.Arch}}'),
    SBOM: 'false',
  };
  execFileSync('.ci/release-image', ['Signer-Release-Test', ...options], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { 'containerimage.digest': digest } = JSON.parse(
    readFileSync(join(root, 'release/image.json'), 'utf8'),
  );
  expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  const labels = JSON.parse(docker('image', 'inspect', '--format', '{{json .Config.Labels}}', tag));
  expect(labels).toMatchObject({
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
    }).trim(),
  });
  using directory = temporaryDirectory();
  expect(programOf(tag, directory.path)).toBe(programOf(image, directory.path));
}, 600_000);
