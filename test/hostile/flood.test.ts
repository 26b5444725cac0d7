/** Too much at once: requests on one connection, bodies; and callers that go away in the middle. */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect } from 'vitest';
import { connections, isRoot, openFiles, peakMemory, privateMemory } from '../support/process.ts';
import { waitFor } from '../support/signer.ts';
import { type Arena, expectProblem, expectSigned, only, test } from './arena.ts';
import { connected, connection } from './crowd.ts';
import { exchangeOnce, json, parseAnswers, request } from './wire.ts';

const mebibyte = 2 ** 20;
const raw = 'Content-Type: application/octet-stream';
const batchPath = '/v1/keys/demo/sign-batch';

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

/** How many messages have been signed, batches included. */
async function signed({ signer }: Arena): Promise<number> {
  const text = await (await fetch(`${signer.opsUrl}/metrics`)).text();
  const counts = text.matchAll(
    /^sidecar_signer_operations_total\{.*operation="sign".*outcome="ok".*\} (\d+)/gm,
  );
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe('requests on one connection', () => {
  test.for([2, 1000])(
    'A34 %i at once are answered in order, until the connection ends',
    async (count, { arena }) => {
      const { tcp } = arena;
      const messages = Array.from({ length: count }, (_, index) => `message ${index}`);
      const signatures: unknown[] = [];
      while (signatures.length < count) {
        const rest = messages.slice(signatures.length);
        const all = Buffer.concat(rest.map((message) => request(tcp, { body: json({ message }) })));
        const before = await signed(arena);
        const { answers } = await exchangeOnce(tcp, all, rest.length);
        signatures.push(...answers.map(({ body }) => JSON.parse(body).signature));
        // The end of the connection may lose answers (RFC 9112 §9.6), and what comes behind it is not carried out.
        const carriedOut = (await signed(arena)) - before;
        expect(carriedOut).toBeGreaterThanOrEqual(answers.length);
        expect(carriedOut).toBeLessThanOrEqual(rest.length);
      }
      expect(signatures).toEqual(messages.map((each) => arena.tag(each)));
    },
  );

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

  /** Behind a batch, which gives other callers their turn, the connection is closed. */
  const batch = (arena: Arena) =>
    request(arena.tcp, {
      target: batchPath,
      body: json({ items: Array.from({ length: 100 }, (_, index) => ({ message: `message ${index}` })) }),
    });
  const single = (arena: Arena) => request(arena.tcp, { body: arena.body });
  const list = (arena: Arena) =>
    request(arena.tcp, { method: 'GET', target: '/v1/keys', type: null, length: null, body: '' });
  const behind: Readonly<Record<string, readonly ((arena: Arena) => Buffer)[]>> = {
    'two batches': [batch, batch],
    'a batch and a list of keys': [batch, list],
    'a batch and a message': [batch, single],
    'a message and two batches': [single, batch, batch],
    'ten batches': Array.from({ length: 10 }, () => batch),
  };
  test.for(Object.entries(behind))('A57 %s: none is carried out twice', async ([, parts], { arena }) => {
    const items = parts.reduce((sum, part) => sum + (part === batch ? 100 : part === single ? 1 : 0), 0);
    const before = await signed(arena);
    const all = Buffer.concat(parts.map((part) => part(arena)));
    const { answers, closed } = await exchangeOnce(arena.tcp, all, parts.length);
    expect(closed || answers.length === parts.length).toBe(true);
    for (const { status } of answers) expect(status).toBe(200);
    await waitFor(() => connections(arena.signer) === 0 || undefined);
    expect((await signed(arena)) - before).toBeLessThanOrEqual(items);
    await expectSigned(arena);
    expect(only(await arena.exchange(arena.tcp, batch(arena))).status).toBe(200);
  });

  test('A34 what is not read is not worked for', async ({ arena }) => {
    const before = peakMemory(arena.signer);
    const socket = connection(arena.tcp);
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
    const all = await connected(tcp, 200);
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
    const stalling = await connected(tcp, 64);
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
    const leaving = await connected(arena.tcp, 300);
    const gone = leaving.map((socket) => once(socket, 'close'));
    for (const socket of leaving) leave(socket, arena);
    await Promise.all(gone);
    await waitFor(() => connections(signer) === 0 || undefined);
    await expectSigned(arena);
    if (isRoot) await waitFor(() => openFiles(signer).length <= files || undefined);
    expect(privateMemory(signer) - memory).toBeLessThan(32 * mebibyte);
  });
});
