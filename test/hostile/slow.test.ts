/** Requests that do not end. Every one of them waits at the same time, so that the whole takes as long as the longest. */

import { expect } from 'vitest';
import { connections } from '../support/process.ts';
import { waitFor } from '../support/signer.ts';
import { type Arena, expectProblem, expectSigned, expectUnsigned, test as withArena } from './arena.ts';
import { build } from './rows.ts';
import { type Exchange, type Flaw, open, parseAnswers } from './wire.ts';

const raw = 'Content-Type: application/octet-stream';
const chunks = 'Transfer-Encoding: chunked';

/** Begun, and then silent: our own timer ends these. */
const stalled: Readonly<Record<string, Flaw>> = {
  'two bytes of ten': { length: 'Content-Length: 10', body: '{"' },
  'no byte of ten': { length: 'Content-Length: 10', body: '' },
  'half a chunk': { length: chunks, body: '13\r\n{"mess' },
  'a chunk without the last one': { length: chunks, body: '13\r\n{"message":"hello"}\r\n' },
  'a message as it is, half of it': { type: raw, length: 'Content-Length: 10', body: 'hello' },
  'a message as it is, in chunks without the last one': { type: raw, length: chunks, body: '5\r\nhello\r\n' },
  'a batch of a mebibyte, two bytes of it': {
    target: '/v1/keys/demo/sign-batch',
    length: `Content-Length: ${2 ** 20}`,
    body: '{"',
  },
};

/** Of these, a byte comes each second: the time for the whole body is up all the same. */
const trickled: Readonly<Record<string, Flaw>> = {
  'a body at a byte a second': { length: 'Content-Length: 100', body: '' },
  'a message as it is, at a byte a second': { type: raw, length: 'Content-Length: 100', body: '' },
  'chunks of a byte, one a second': { type: raw, length: chunks, body: '' },
};

/** Without a whole head there is no request yet, and only the runtime's own timer acts. */
const headless: Readonly<Record<string, string>> = {
  'a connection and nothing else': '',
  'half a request line': 'POST /v1/ke',
  'half a header': 'POST /v1/keys/demo/sign HTTP/1.1\r\nHost: local',
};

type Begun = Readonly<Record<string, Promise<Exchange>>>;

const test = withArena.extend('begun', { scope: 'file' }, ({ arena }): Begun => {
  const { tcp } = arena;
  const begin = ([what, flaw]: [string, Flaw]) => [what, arena.exchange(tcp, build(tcp, '', flaw))] as const;
  return Object.fromEntries([
    ...Object.entries(stalled).map(begin),
    ...Object.entries(trickled).map(([what, flaw]) => {
      const chunk = flaw.length === chunks ? '1\r\na\r\n' : 'a';
      return [what, trickle(arena, build(tcp, '', flaw), chunk)] as const;
    }),
    ...Object.entries(headless).map(([what, bytes]) => [what, arena.exchange(tcp, bytes)] as const),
    ['a head at a byte a second', trickle(arena, 'POST /v1/keys/demo/sign HTTP/1.1\r\n', 'X')] as const,
  ]);
});

/** Sends the bytes, then the others once a second until the connection is closed. */
function trickle({ tcp }: Arena, first: string | Buffer, each: string): Promise<Exchange> {
  return new Promise((resolve) => {
    const started = performance.now();
    const received: Buffer[] = [];
    const socket = open(tcp);
    socket.write(first);
    const timer = setInterval(() => socket.write(each), 1000);
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.once('close', () => {
      clearInterval(timer);
      const bytes = Buffer.concat(received);
      const elapsedMs = performance.now() - started;
      resolve({ bytes, answers: parseAnswers(bytes), closed: true, elapsedMs });
    });
  });
}

const withinMs = 10_000;

test.for([...Object.keys(stalled), ...Object.keys(trickled)])('A29 %s', async (what, { arena, begun }) => {
  const done = await begun[what];
  if (done === undefined) throw new Error('not begun');
  expectProblem(arena, done, [408, 'timeout']);
  expect(done.closed).toBe(true);
  expect(done.elapsedMs).toBeLessThan(withinMs);
});

test.for([...Object.keys(headless), 'a head at a byte a second'])(
  'A30 %s',
  async (what, { arena, begun }) => {
    const done = await begun[what];
    if (done === undefined) throw new Error('not begun');
    expectUnsigned(arena, done);
    expect(done).toMatchObject({ closed: true, answers: [] });
    expect(done.elapsedMs).toBeLessThan(2 * withinMs);
  },
);

test('A29 what stalled has left nothing behind', async ({ arena, begun }) => {
  await Promise.all(Object.values(begun));
  await waitFor(() => connections(arena.signer) === 0 || undefined);
  await expectSigned(arena);
});
