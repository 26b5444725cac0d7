/** What the signer advises where the file system does not let it, as root tries it with another user. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeVolume } from '../../support/atomic-writer.ts';
import { isRoot } from '../../support/process.ts';
import { binary, temporaryDirectory } from '../../support/signer.ts';

const name = isRoot ? 'advice' : 'advice (skipped: only root can be another user)';

describe.skipIf(!isRoot)(name, () => {
  const asStranger = (...args: readonly string[]) =>
    spawnSync(binary, args, { uid: 65532, gid: 65532, encoding: 'utf8', env: {}, timeout: 40_000 });

  it('about a volume of the kubelet names fsGroup and defaultMode', () => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, 0o755);
    const keys = join(directory.path, 'keys');
    writeVolume(keys, { orders: randomBytes(32) }, 0o400);
    chmodSync(dirname(realpathSync(join(keys, 'orders'))), 0o755);
    const { stdout, status } = asStranger('check', '--keys', keys);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /"orders" cannot be read by uid 65532 with gids [\d,]+ \(mode 0400, owner 0:0\); set fsGroup in the pod's securityContext and defaultMode 0440 on the volume\n/,
    );
  });

  it('about a plain file, such as a compose secret, says what to do on the host', () => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, 0o755);
    writeFileSync(join(directory.path, 'orders'), randomBytes(32), { mode: 0o600 });
    const { stdout } = asStranger('check', '--keys', directory.path);
    expect(stdout).toContain(
      '(mode 0600, owner 0:0); let this user read the file where it was made (chgrp and chmod',
    );
    expect(stdout).not.toContain('fsGroup');
  });

  it('about a directory says that it must be listed and entered', () => {
    using directory = temporaryDirectory();
    const { stdout } = asStranger('check', '--keys', directory.path);
    expect(stdout).toMatch(/ cannot be read by uid 65532 with gids [\d,]+; let this user list and enter it/);
  });

  it.each([
    ['written to', 0o755],
    ['entered', 0o700],
  ])('about a socket in a directory that cannot be %s', (_, mode) => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, 0o755);
    const run = join(directory.path, 'run');
    mkdirSync(run);
    chmodSync(run, mode);
    const socket = join(run, 'signer.sock');
    const { stderr, status } = asStranger(
      'serve',
      '--keys',
      run,
      '--listen',
      'none',
      '--ops-listen',
      'none',
      '--socket',
      socket,
    );
    expect(status).toBe(1);
    expect(stderr).toContain(
      `cannot listen on ${socket}: ${run} cannot be written to by uid 65532 (EACCES); Kubernetes: set fsGroup`,
    );
  });
});
