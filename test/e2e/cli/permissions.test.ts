/** What the signer advises where the file system does not let it, as root tries it with another user. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
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
    ['written to', 0o755, 0o644],
    ['reached', 0o700, 0o666],
  ])('about a socket that cannot be %s names --socket-mode', async (_, directoryMode, mode) => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, directoryMode);
    const socket = join(directory.path, 'signer.sock');
    const server = createServer();
    await once(server.listen(socket), 'listening');
    chmodSync(socket, mode);
    const { stderr, status } = asStranger('keys', 'list', '--socket', socket);
    server.close();
    expect(status).toBe(1);
    expect(stderr).toBe(
      `sidecar-signer: user 65532 may not write to the socket ${socket}; set --socket-mode, or a common group\n`,
    );
  });

  // Where every port is free for everybody, the port of this test is one of them.
  const isPrivileged = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) > 81;
  it.runIf(isPrivileged)('about a port below 1024 says what it needs', () => {
    const { stderr, status } = asStranger('serve', '--listen', '127.0.0.1:81', '--ops-listen', 'none');
    expect(status).toBe(1);
    expect(stderr).toContain(
      'cannot listen on 127.0.0.1:81 (EACCES): ports below 1024 need root or CAP_NET_BIND_SERVICE; set another --listen\n',
    );
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
      join(directory.path, 'keys'),
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
