/** Refusals of requests that are still being sent: the answer arrives, and nobody is read for ever. */

import { describe, expect } from 'vitest';
import { privateMemory } from '../support/process.ts';
import { waitFor } from '../support/signer.ts';
import { type Arena, expectSigned, test } from './arena.ts';
import { type Answer, type Door, type Flaw, open, parseAnswers, request } from './wire.ts';

const mebibyte = 2 ** 20;
const raw = 'Content-Type: application/octet-stream';
const part = Buffer.alloc(64 * 1024, 'a');

/** The refusals that come before a body is read. */
const refusals: Readonly<
  Record<string, { readonly door?: 'keyless' | 'unix'; readonly flaw: Flaw; readonly status: number }>
> = {
  'longer than JSON may be': { flaw: {}, status: 413 },
  'longer than JSON may be, on a socket': { door: 'unix', flaw: {}, status: 413 },
  'without Sec-Signer': { flaw: { caller: null }, status: 403 },
  'of a browser': { flaw: { more: ['Origin: null'] }, status: 403 },
  'of another type': { flaw: { type: 'Content-Type: text/plain' }, status: 415 },
  'for a key set that is unknown': { flaw: { target: '/v1/keys/unknown/sign', type: raw }, status: 404 },
  'for a path that is unknown': { flaw: { target: '/v1/unknown', type: raw }, status: 404 },
  'for a path that takes GET': { flaw: { target: '/v1/keys', type: raw }, status: 405 },
  'without a signature': { flaw: { target: '/v1/keys/demo/verify', type: raw }, status: 400 },
  'to a signer without keys': { door: 'keyless', flaw: { type: raw }, status: 503 },
};

/** Sends a whole request as many clients do: it reads the answer when everything has been sent. */
function sendThenRead(door: Door, flaw: Flaw, length: number, how: 'length' | 'chunks'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = open(door);
    const chunks: Buffer[] = [];
    socket.pause();
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('close', () => {
      const [answer] = parseAnswers(Buffer.concat(chunks));
      if (answer === undefined) reject(new Error(`no answer in ${Buffer.concat(chunks)}`));
      else resolve(answer);
    });
    const framing = how === 'length' ? `Content-Length: ${length}` : 'Transfer-Encoding: chunked';
    const more = [...(flaw.more ?? []), 'Connection: close'];
    socket.write(request(door, { ...flaw, more, length: framing, body: '' }));
    const parts = Array.from({ length: Math.ceil(length / part.length) }, (_, index) =>
      part.subarray(0, Math.min(part.length, length - index * part.length)),
    );
    const body = how === 'length' ? parts : [...parts.map(chunk), '0\r\n\r\n'];
    for (const [index, each] of body.entries()) {
      socket.write(each, () => {
        if (index === body.length - 1) socket.resume();
      });
    }
  });
}

function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

describe('a client that sends all before it reads', () => {
  test.for(Object.entries(refusals))(
    'A60 %s',
    { timeout: 60_000 },
    async ([, { door, flaw, status }], { arena }) => {
      for (const length of [30, 20_000, 1_200_000, 5_000_000]) {
        if (status === 413 && length < mebibyte) continue;
        for (let round = 0; round < 2; round++) {
          for (const how of ['length', 'chunks'] as const) {
            const answer = await sendThenRead(arena[door ?? 'tcp'], flaw, length, how);
            expect([length, how, answer.status]).toEqual([length, how, status]);
            expect(JSON.parse(answer.body)).toMatchObject({ status });
          }
        }
      }
    },
  );
});

/** What came of a client that sends parts until the connection is closed. */
interface Endless {
  answer?: { readonly status: number; readonly afterMs: number };
  closedMs?: number;
  sent: number;
}

/** Sends a body that is refused, a part in each interval, or one after the other. */
function sendEndlessly({ tcp }: Arena, each: Buffer, intervalMs: number): Endless {
  const outcome: Endless = { sent: 0 };
  const started = performance.now();
  const socket = open(tcp);
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
    outcome.answer ??= { status: Number(received.slice(9, 12)), afterMs: performance.now() - started };
  });
  socket.once('close', () => {
    outcome.closedMs = performance.now() - started;
  });
  const length = `Content-Length: ${10 ** 10}`;
  socket.write(request(tcp, { target: '/v1/keys/unknown/sign', type: raw, length, body: '' }));
  const next = () => {
    if (outcome.closedMs !== undefined) return;
    socket.write(each, (error) => {
      if (error) return;
      outcome.sent += each.length;
      // Never at once: this side would not see that the other has closed.
      setTimeout(next, intervalMs);
    });
  };
  next();
  return outcome;
}

const closed = (outcome: Endless) => waitFor(() => (outcome.closedMs === undefined ? undefined : outcome));

describe('a body without an end', () => {
  test('A60 that comes fast is read for 32 MiB', async ({ arena }) => {
    const { answer, sent } = await closed(sendEndlessly(arena, Buffer.alloc(mebibyte, 'a'), 0));
    expect(answer?.status ?? 404).toBe(404);
    // The kernel's buffers hold some more.
    expect(sent).toBeLessThan(64 * mebibyte);
  });

  test('A60 that comes slowly is read for 5 s, and its answer comes at once', async ({ arena }) => {
    const { answer, closedMs } = await closed(sendEndlessly(arena, Buffer.from('a'), 200));
    expect(answer?.status).toBe(404);
    expect(answer?.afterMs).toBeLessThan(2000);
    expect(closedMs).toBeGreaterThan(4500);
    expect(closedMs).toBeLessThan(12_000);
  });

  test('A60 that stops is read no more', async ({ arena }) => {
    const { answer, closedMs } = await closed(sendEndlessly(arena, Buffer.from('a'), 30_000));
    expect(answer?.status).toBe(404);
    expect(closedMs).toBeLessThan(4500);
  });

  test('A60 on 100 connections: 64 are waited for, the others closed at once, and memory stays bounded', async ({
    arena,
  }) => {
    const before = privateMemory(arena.signer);
    const all = Array.from({ length: 100 }, () => sendEndlessly(arena, part, 20));
    await waitFor(() => (all.every(({ answer, closedMs }) => answer ?? closedMs) ? true : undefined));
    const closedAtOnce = all.filter(({ closedMs }) => closedMs !== undefined).length;
    expect(closedAtOnce).toBeGreaterThanOrEqual(30);
    await expectSigned(arena);
    expect(privateMemory(arena.signer) - before).toBeLessThan(48 * mebibyte);
    for (const each of all) await closed(each);
  });
});
