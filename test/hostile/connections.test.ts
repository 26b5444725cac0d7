/** What connections may cost: idle ones, request heads that do not end, answers that nobody reads. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { privateMemory, unreadBytes } from '../support/process.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';
import { doorOf, test } from './arena.ts';
import { callAgain, connected, expectServed, maxOpenFiles } from './crowd.ts';
import { request } from './wire.ts';

const mebibyte = 2 ** 20;
const listeners = ['tcp', 'unix', 'ops'] as const;

/** The most that a function returned, while something ran. */
async function highest(measure: () => number, run: () => Promise<void>): Promise<number> {
  let most = measure();
  const timer = setInterval(() => {
    most = Math.max(most, measure());
  }, 20);
  await run().finally(() => clearInterval(timer));
  return Math.max(most, measure());
}

describe('idle connections', () => {
  const many = 8000;

  test(`A31 ${many} of them`, async ({ arena, skip }) => {
    skip(maxOpenFiles < many + 500, `${many} connections need a higher limit of open files`);
    await connected(arena.tcp, many);
    // Until then, the kernel keeps connections without a request to itself.
    await delay(1500);
    await expectServed(() => arena.exchange(arena.tcp, request(arena.tcp)));
  });
});

describe('request heads that do not end', () => {
  const many = 6000;
  const start = 'POST /v1/keys/demo/sign HTTP/1.1\r\nHost: localhost\r\nX-A: ';

  // Longer ones are refused, so that the others are the longest that can be kept waiting.
  test.for(listeners.flatMap((listener) => [[listener, 15_000, 40] as const, [listener, 8000, 72] as const]))(
    'A54 %s: of %i bytes each',
    { timeout: 90_000 },
    async ([listener, size, mebibytes], { arena, skip }) => {
      skip(maxOpenFiles < many + 500, `${many} connections need a higher limit of open files`);
      using place = temporaryDirectory();
      const path = join(place.path, 'socket');
      await using signer = await startSigner(['--keys', arena.directory, '--socket', path]);
      await signer.ready();
      const door = { tcp: doorOf(signer.url), ops: doorOf(signer.opsUrl), unix: { at: { path }, host: '' } }[
        listener
      ];
      const head = start.padEnd(size, 'a');
      const call = await callAgain(doorOf(signer.url));
      const memory = await highest(
        () => privateMemory(signer),
        async () => {
          for (const socket of await connected(door, many)) socket.write(head);
          await expectServed(call);
        },
      );
      expect(memory).toBeLessThan(mebibytes * mebibyte);
    },
  );
});

describe('answers that nobody reads', () => {
  const ask = (url: string, target: string) =>
    request(doorOf(url), { method: 'GET', target, type: null, length: null, body: '' });

  /** A signer with ten key sets, so that a list of them is long. */
  async function withTenKeys(run: (signer: Signer) => Promise<void>): Promise<void> {
    using place = temporaryDirectory();
    const names = ['demo', ...Array.from({ length: 9 }, (_, index) => `another-${index}`)];
    writeVolume(place.path, Object.fromEntries(names.map((name) => [name, randomBytes(32)])));
    await using signer = await startSigner(['--keys', place.path]);
    await signer.ready();
    await run(signer);
  }

  test.for([
    ['ops', '/openapi.json'],
    ['ops', '/metrics'],
    ['ops', '/livez'],
    ['signing', '/v1/keys'],
    ['signing', '/v1/keys/demo'],
  ] as const)('A55 to 300 requests at once on each of 500 connections, %s %s', async ([listener, target]) => {
    await withTenKeys(async (signer) => {
      const url = listener === 'ops' ? signer.opsUrl : signer.url;
      const all = Buffer.concat(Array.from({ length: 300 }, () => ask(url, target)));
      const call = await callAgain(doorOf(signer.url));
      for (const socket of await connected(doorOf(url), 500)) socket.pause().write(all);
      await expectServed(call);
      expect(unreadBytes(url)).toBeLessThan(48 * mebibyte);
      expect(privateMemory(signer)).toBeLessThan(64 * mebibyte);
    });
  });

  test('A55 to requests that come little by little, on 50 connections', { timeout: 90_000 }, async () => {
    await withTenKeys(async (signer) => {
      const some = Buffer.concat(Array.from({ length: 8 }, () => ask(signer.url, '/v1/keys')));
      const sockets = await connected(doorOf(signer.url), 50);
      // Answers of 5 MB on each.
      for (let round = 0; round < 300; round++) {
        for (const socket of sockets) socket.pause().write(some);
        await waitFor(() => sockets.every(({ writableLength }) => writableLength === 0) || undefined);
        await delay(10);
      }
      // The kernel holds at most 128 KiB for each of them.
      expect(unreadBytes(signer.url)).toBeLessThan(50 * 128 * 1024);
    });
  });
});
