/** A system that fails under the signer: at its sockets, at its log, and while it answers. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { binary, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';
import { expectSigned, expectUnsigned, only, test } from './arena.ts';
import { createMarkers } from './marker.ts';
import { tagOf } from './scene.ts';
import { hasStrace, tamper } from './strace.ts';
import { exchange, json, request } from './wire.ts';

describe('system calls', () => {
  test.for([
    'recvfrom:error=ECONNRESET:when=2+3',
    'recvfrom:error=EIO:when=2+3',
    'recvfrom:error=ENOMEM:when=2+3',
    'sendto:error=EPIPE:when=2+3',
    'sendto:error=ECONNRESET:when=2+3',
    'sendto:error=ENOBUFS:when=2+3',
    'accept4:error=ECONNABORTED:when=2+3',
    'accept4:error=EMFILE:when=2+3',
    'accept4:error=ENFILE:when=2+3',
    'accept4:error=ENOMEM:when=2+3',
    'epoll_pwait2:error=EINTR:when=2+3',
    'epoll_ctl:error=ENOSPC:when=2+7',
    'setsockopt:error=EINVAL:when=1+2',
  ])(
    'A53 %s: an answer is right or there is none, and the process lives',
    { timeout: 60_000 },
    async (inject, { arena, skip }) => {
      skip(!hasStrace, 'needs root and strace');
      const { tcp, body, signer } = arena;
      const right = arena.tag(arena.message);
      const requests = [
        request(tcp, { body }),
        request(tcp, { type: 'Content-Type: application/octet-stream', body: arena.message }),
      ];
      await tamper(signer, inject, async () => {
        const all = Array.from({ length: 30 }, (_, index) => {
          const sent = requests[index % requests.length] ?? Buffer.alloc(0);
          // A connection that is accepted late, or never, is waited for no longer than it matters.
          return arena.exchange(tcp, sent, 1, 3000).catch(() => undefined);
        });
        for (const done of await Promise.all(all)) {
          for (const answer of done?.answers ?? []) {
            if (answer.status === 200) expect(JSON.parse(answer.body).signature).toBe(right);
            else expect(JSON.parse(answer.body).code).toMatch(/^(?:malformed_request|timeout|internal)$/);
          }
          if (done !== undefined && !done.answers.some(({ status }) => status === 200))
            expectUnsigned(arena, done);
        }
      });
      expect(signer.process.exitCode).toBeNull();
      await expectSigned(arena);
    },
  );

  test('A53 what a request brings to a fault is not in the answer, nor in the log', async ({ arena }) => {
    // Each of these has met an error inside of the runtime or of a library before it was refused.
    for (const flaw of [
      { body: `${'['.repeat(4000)}"${arena.message}"` },
      { body: json({ message: `\ud800${arena.message}` }) },
      {
        type: 'Content-Type: application/octet-stream',
        length: 'Transfer-Encoding: chunked',
        body: `zz${arena.message}\r\n`,
      },
    ]) {
      const done = await arena.exchange(arena.tcp, request(arena.tcp, flaw));
      expect(only(done).status).toBe(400);
      expectUnsigned(arena, done);
    }
  });
});

/** The end for writing of a pipe that is full and stays so. */
function fullPipe(): number {
  using place = temporaryDirectory();
  const path = join(place.path, 'pipe');
  execFileSync('mkfifo', [path]);
  // Opened for both, it has a reader that never reads.
  const filling = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const full = openSync(path, constants.O_WRONLY);
  const isFull = () => {
    try {
      return writeSync(filling, Buffer.alloc(4096)) === 0;
    } catch {
      return true;
    }
  };
  while (!isFull());
  return full;
}

describe('the log', () => {
  /** What the log says of the listeners; the start must succeed although `bind` fails at times. */
  async function startWith(inject: string): Promise<readonly string[]> {
    using place = temporaryDirectory();
    writeVolume(place.path, { demo: createMarkers().key() });
    const wrapper = ['strace', '-D', '-f', '-o', '/dev/null', '-e', `inject=${inject}`];
    await using signer = await startSigner(['--keys', place.path], {}, { wrapper });
    await signer.ready();
    const {
      signing,
      ops,
      also = [],
    } = JSON.parse(
      signer
        .output()
        .split('\n')
        .find((line) => line.includes('"listening"')) ?? '{}',
    );
    return [signing, ops, ...also];
  }

  test('A53 a port that the system chose is taken on ::1: another one is tried', async ({ skip }) => {
    skip(!hasStrace, 'needs root and strace');
    const [signing, ops, ...also] = await startWith('bind:error=EADDRINUSE:when=2');
    expect(also).toEqual([signing, ops].map((at) => at?.replace('127.0.0.1', '[::1]')));
  });

  test.for(['bind:error=EADDRNOTAVAIL:when=2+2', 'socket:error=EAFNOSUPPORT:when=2+2'])(
    'A53 %s: without IPv6 the signer takes the address that there is',
    async (inject, { skip }) => {
      skip(!hasStrace, 'needs root and strace');
      expect(await startWith(inject)).toHaveLength(2);
    },
  );

  const outputs: Readonly<Record<string, () => number | 'closed'>> = {
    'goes to a full disk (ENOSPC)': () => openSync('/dev/full', 'w'),
    'goes to a reader that went away (EPIPE)': () => 'closed',
    'goes to a reader that has stopped reading': fullPipe,
  };

  test.for(Object.entries(outputs))(
    'A52 %s: keys are reloaded and signatures made all the same',
    async ([, output]) => {
      const markers = createMarkers();
      using place = temporaryDirectory();
      const [directory, path] = [join(place.path, 'keys'), join(place.path, 'socket')];
      const door = { at: { path }, host: 'localhost' };
      writeVolume(directory, { demo: markers.key() });
      const out = output();
      const args = [
        'serve',
        '--keys',
        directory,
        '--listen',
        'none',
        '--ops-listen',
        'none',
        '--socket',
        path,
      ];
      const child = spawn(binary, args, { stdio: ['ignore', out === 'closed' ? 'pipe' : out, 'pipe'] });
      child.stdout?.destroy();
      child.stderr?.on('data', (chunk) => markers.saw(chunk));
      try {
        await waitFor(() => existsSync(path) || undefined);
        for (let round = 0; round < 5; round++) {
          const key = markers.key();
          // A set that is refused is worth a line of the log, and so is the next.
          writeVolume(directory, { demo: Buffer.alloc(3) });
          writeVolume(directory, { demo: key });
          await waitFor(async () => {
            const done = await exchange(door, request(door));
            markers.saw(done.bytes);
            return done.bytes.includes(tagOf(key)) || undefined;
          });
        }
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        expect((await exited)[0]).toBe(0);
        expect(markers.leaks()).toEqual([]);
      } finally {
        child.kill('SIGKILL');
      }
    },
  );
});

describe('what is not there to be attacked', () => {
  const help = () => execFileSync(binary, ['serve', '--help'], { encoding: 'utf8' });

  test('A36 there is no caller token, and so none that could be wrong', () => {
    expect(help()).not.toMatch(/token/i);
  });
});
