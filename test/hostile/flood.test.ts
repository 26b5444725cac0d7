/** Too much at once: connections, requests on one connection, bodies; and callers that go away in the middle. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterEach, describe, expect } from 'vitest';
import { connections, isRoot, openFiles, peakMemory, privateMemory } from '../support/process.ts';
import { waitFor } from '../support/signer.ts';
import { type Arena, expectProblem, expectSigned, only, test } from './arena.ts';
import { json, open, parseAnswers, request } from './wire.ts';

const mebibyte = 2 ** 20;
const raw = 'Content-Type: application/octet-stream';
const batchPath = '/v1/keys/demo/sign-batch';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A connection that ends with the test, at the latest. */
function connection({ tcp }: Arena): Socket {
  const socket = open(tcp);
  sockets.push(socket);
  return socket;
}

async function connected(arena: Arena, count: number): Promise<readonly Socket[]> {
  const opened: Socket[] = [];
  while (opened.length < count) {
    // Not faster than they are accepted: the kernel drops what does not fit into its queue.
    const some = Array.from({ length: Math.min(100, count - opened.length) }, () => connection(arena));
    await Promise.all(some.map((socket) => once(socket, 'connect')));
    opened.push(...some);
  }
  return opened;
}

/** The status of the first answer, or `closed`. */
function outcome(socket: Socket): Promise<number | 'closed'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const [answer] = parseAnswers(Buffer.concat(chunks));
      if (answer !== undefined) resolve(answer.status);
    });
    socket.once('close', () => resolve('closed'));
  });
}

function maxOpenFiles(): number {
  return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
}

describe('connections', () => {
  const many = 10_000;

  test(`A31 ${many} of them are idle`, { timeout: 60_000 }, async ({ arena, skip }) => {
    skip(maxOpenFiles() < many + 500, `${many} connections need a higher limit of open files`);
    await connected(arena, many);
    const times: number[] = [];
    for (let round = 0; round < 21; round++) {
      const done = await arena.exchange(arena.tcp, request(arena.tcp));
      expect([200, 503]).toContain(only(done).status);
      times.push(done.elapsedMs);
    }
    times.sort((one, other) => one - other);
    expect(times[10]).toBeLessThan(50);
    // No request starves; a second leaves room for a busy machine.
    expect(times[20]).toBeLessThan(1000);
  });
});

describe('requests on one connection', () => {
  test.for([2, 1000])('A34 %i at once are answered in order', async (count, { arena }) => {
    const messages = Array.from({ length: count }, (_, index) => `message ${index}`);
    const all = Buffer.concat(messages.map((message) => request(arena.tcp, { body: json({ message }) })));
    const { answers } = await arena.exchange(arena.tcp, all, count);
    expect(answers.map(({ body }) => JSON.parse(body).signature)).toEqual(
      messages.map((each) => arena.tag(each)),
    );
  });

  test('A34 a refusal among them changes nothing for the others', async ({ arena }) => {
    const { tcp } = arena;
    const good = request(tcp, { body: arena.body });
    const bad = request(tcp, { body: arena.body, caller: null });
    const streamed = request(tcp, { type: raw, body: arena.message });
    const all = Buffer.concat([good, bad, streamed, bad, good]);
    const { answers } = await arena.exchange(tcp, all, 5);
    expect(answers.map(({ status }) => status)).toEqual([200, 403, 200, 403, 200]);
    expect(answers.map(({ body }) => JSON.parse(body).signature === arena.tag(arena.message))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  test('A34 what is not read is not worked for', async ({ arena }) => {
    const before = peakMemory(arena.signer);
    const socket = connection(arena);
    socket.pause();
    const items = Array.from({ length: 1000 }, () => ({ message: '' }));
    const batch = request(arena.tcp, { target: batchPath, body: json({ items }) });
    // Answers of 60 MB, of which the kernel's buffers hold a few.
    for (let sent = 0; sent < 500; sent++) socket.write(batch);
    await expectSigned(arena);
    await waitFor(() => (socket.bytesWritten > 100 * batch.length ? true : undefined));
    await expectSigned(arena);
    expect(peakMemory(arena.signer) - before).toBeLessThan(64 * mebibyte);
  });
});

describe('bodies', () => {
  test('A28 200 long ones at once: those beyond the bound are refused, and memory stays bounded', async ({
    arena,
  }) => {
    const { signer, tcp } = arena;
    const before = peakMemory(signer);
    const all = await connected(arena, 200);
    const outcomes = all.map(outcome);
    // While the signer is held, the kernel fills its buffers; it then finds everything at once.
    signer.process.kill('SIGSTOP');
    const head = request(tcp, { type: raw, length: `Content-Length: ${2 * mebibyte}`, body: '' });
    for (const socket of all) socket.write(Buffer.concat([head, Buffer.alloc(2 * mebibyte)]));
    await waitFor(() => (all.every((socket) => socket.bytesWritten > 0) ? true : undefined));
    signer.process.kill('SIGCONT');
    const statuses = new Set(await Promise.all(outcomes));
    expect(statuses).toEqual(new Set([200, 503]));
    expect(peakMemory(signer) - before).toBeLessThan(128 * mebibyte);
    await expectSigned(arena);
  });

  test('A29 long ones that stall keep out no short one, and give their place back', async ({ arena }) => {
    const { tcp } = arena;
    const long = { target: batchPath, length: `Content-Length: ${mebibyte}`, body: '{' };
    const stalling = await connected(arena, 64);
    const outcomes = stalling.map(outcome);
    for (const socket of stalling) socket.write(request(tcp, long));
    // Those beyond the bound are refused at once; those within it are waited for.
    const refused = await Promise.race(outcomes);
    expect(refused).toBe(503);
    await expectSigned(arena);
    const another = await arena.exchange(tcp, request(tcp, long));
    expectProblem(arena, another, [503, 'overloaded']);
    expect(only(another).headers.get('retry-after')).toBe('1');

    for (const socket of stalling) socket.destroy();
    const whole = json({ items: [{ message: ' '.repeat(mebibyte / 2) }] });
    await waitFor(async () => {
      const { status } = only(await arena.exchange(tcp, request(tcp, { target: batchPath, body: whole })));
      return status === 200 || undefined;
    });
  });
});

describe('callers that go away', () => {
  const half = { length: 'Content-Length: 100', body: '{"message":' };
  const halfRaw = { type: raw, length: `Content-Length: ${mebibyte}`, body: 'a'.repeat(1000) };
  const halfChunk = { length: 'Transfer-Encoding: chunked', body: 'ff\r\n{' };
  const end = (socket: Socket, bytes: Buffer) => socket.resume().end(bytes);
  const ways: Readonly<Record<string, (socket: Socket, arena: Arena) => void>> = {
    'after half a head': (socket, { tcp }) => end(socket, request(tcp).subarray(0, 40)),
    'after half a body': (socket, { tcp }) => end(socket, request(tcp, half)),
    'after half a chunk': (socket, { tcp }) => end(socket, request(tcp, halfChunk)),
    'after half a message as it is': (socket, { tcp }) => end(socket, request(tcp, halfRaw)),
    'by a reset after half a body': (socket, { tcp }) => {
      socket.write(request(tcp, half), () => socket.resetAndDestroy());
    },
    'by a reset after half a message as it is': (socket, { tcp }) => {
      socket.write(request(tcp, halfRaw), () => socket.resetAndDestroy());
    },
    'by a reset before the answer': (socket, { tcp }) => {
      socket.write(request(tcp), () => socket.resetAndDestroy());
    },
    'by a reset without reading any answer': (socket, { tcp }) => {
      socket.pause();
      const list = request(tcp, { method: 'GET', target: '/v1/keys', type: null, length: null, body: '' });
      socket.write(Buffer.concat(Array.from({ length: 100 }, () => list)), () => socket.resetAndDestroy());
    },
  };

  test.for(Object.entries(ways))('A51 %s, 300 times', async ([, leave], { arena }) => {
    const { signer } = arena;
    const memory = privateMemory(signer);
    const files = isRoot ? openFiles(signer).length : 0;
    const leaving = await connected(arena, 300);
    const gone = leaving.map((socket) => once(socket, 'close'));
    for (const socket of leaving) leave(socket, arena);
    await Promise.all(gone);
    await waitFor(() => connections(signer) === 0 || undefined);
    await expectSigned(arena);
    if (isRoot) await waitFor(() => openFiles(signer).length <= files || undefined);
    expect(privateMemory(signer) - memory).toBeLessThan(32 * mebibyte);
  });
});
