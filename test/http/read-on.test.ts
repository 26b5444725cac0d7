/** What is left of a refused body is read, within bounds. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createReadOn, defaultReadOnLimits, type ReadOnLimits } from '../../src/http/read-on.ts';

const limits: ReadOnLimits = {
  waitMs: 100,
  pauseMs: 1000,
  maxMs: 5000,
  maxBytes: 1000,
  maxRead: 2,
  maxBodies: 3,
};

interface Upload {
  readonly request: Request;
  send(length: number): void;
  end(): void;
  breakOff(): void;
  readonly cancelled: boolean;
}

function upload(headers: Readonly<Record<string, string>> = { 'transfer-encoding': 'chunked' }): Upload {
  let cancelled = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
    },
    cancel: () => {
      cancelled = true;
    },
  });
  return {
    request: new Request('http://localhost/', { method: 'POST', body, headers, duplex: 'half' }),
    send: (length) => controller?.enqueue(new Uint8Array(length)),
    end: () => controller?.close(),
    breakOff: () => controller?.error(new Error('reset')),
    get cancelled() {
      return cancelled;
    },
  };
}

const refusal = () =>
  new Response('{}', { status: 413, headers: { 'content-type': 'application/problem+json' } });

/** What has been answered so far. */
interface Answer {
  status?: number;
  text: string;
  connection?: string | null;
  ended: boolean;
}

function answerTo(readOn: ReturnType<typeof createReadOn>, { request }: Upload): Answer {
  const answer: Answer = { text: '', ended: false };
  void (async () => {
    const response = await readOn(request, refusal());
    answer.status = response.status;
    answer.connection = response.headers.get('connection');
    for await (const part of response.body ?? []) answer.text += Buffer.from(part).toString();
    answer.ended = true;
  })();
  return answer;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const whole = { status: 413, text: '{}', ended: true };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(async () => {
  await vi.runAllTimersAsync();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

it('a request without a body, or whose body has been read, is answered at once', async () => {
  const readOn = createReadOn(limits);
  const answer = refusal();
  expect(await readOn(new Request('http://localhost/'), answer)).toBe(answer);
  for (const length of ['1', '20000']) {
    const headers = { 'content-length': length };
    const read = new Request('http://localhost/', { method: 'POST', body: 'x', headers });
    void read.bytes();
    expect(await readOn(read, answer)).toBe(answer);
  }
});

it('a body that ends soon is read before the answer, and its connection stays', async () => {
  const sent = upload();
  const answer = answerTo(createReadOn(limits), sent);
  sent.send(500);
  await pass(99);
  expect(answer.status).toBeUndefined();
  sent.end();
  await pass(0);
  expect(answer).toEqual({ ...whole, connection: null });
});

it('a short body is read as a whole', async () => {
  const readOn = createReadOn(limits);
  const sent = upload({ 'content-length': '2' });
  const answer = answerTo(readOn, sent);
  await pass(99);
  expect(answer.status).toBeUndefined();
  sent.send(2);
  sent.end();
  await pass(0);
  expect(answer).toEqual({ ...whole, connection: null });

  const stalled = answerTo(readOn, upload({ 'content-length': '2' }));
  await pass(100);
  expect(stalled).toEqual({ ...whole, connection: 'close', ended: false });
  await pass(900);
  expect(stalled.ended).toBe(true);

  const broken = upload({ 'content-length': '2' });
  const last = answerTo(readOn, broken);
  broken.breakOff();
  await pass(0);
  expect(last).toEqual({ ...whole, connection: 'close' });
});

it('a body that is on its way is answered, and the answer ends with it', async () => {
  const sent = upload();
  const answer = answerTo(createReadOn(limits), sent);
  sent.send(10);
  await pass(100);
  expect(answer).toEqual({ ...whole, connection: 'close', ended: false });
  await pass(800);
  sent.send(10);
  await pass(900);
  expect(answer.ended).toBe(false);
  sent.end();
  await pass(0);
  expect(answer.ended).toBe(true);
  expect(sent.cancelled).toBe(false);
});

it('a body that pauses is not waited for', async () => {
  const sent = upload();
  const answer = answerTo(createReadOn(limits), sent);
  await pass(999);
  expect(answer.ended).toBe(false);
  await pass(1);
  expect(answer).toEqual({ ...whole, connection: 'close' });
  expect(sent.cancelled).toBe(true);
});

it('a body that goes on and on is read for 5 s', async () => {
  const sent = upload();
  const answer = answerTo(createReadOn(limits), sent);
  for (let tenths = 0; tenths < 50; tenths++) {
    expect(answer.ended).toBe(false);
    sent.send(1);
    await pass(100);
  }
  sent.send(1);
  await pass(0);
  expect(answer).toEqual({ ...whole, connection: 'close' });
  expect(sent.cancelled).toBe(true);
});

it.each([
  ['at once', 0],
  ['later', 500],
])('a body that is too long %s is read no further', async (_, ms) => {
  const sent = upload();
  const answer = answerTo(createReadOn(limits), sent);
  await pass(ms);
  sent.send(600);
  sent.send(600);
  await pass(0);
  expect(answer).toEqual({ ...whole, connection: 'close' });
  expect(sent.cancelled).toBe(true);
});

it('a body that breaks off ends it', async () => {
  const sent = upload();
  const answer = answerTo(createReadOn(limits), sent);
  await pass(200);
  sent.breakOff();
  await pass(0);
  expect(answer.ended).toBe(true);
});

it('no more are read at the same time than may be; some are discarded, and the next ones are closed at once', async () => {
  const readOn = createReadOn(limits);
  const read = [upload(), upload()];
  for (const each of read) answerTo(readOn, each);
  const discarded = upload();
  const answer = answerTo(readOn, discarded);
  const refused = answerTo(readOn, upload());
  await pass(0);
  expect(refused).toEqual({ ...whole, connection: 'close' });
  expect(discarded.cancelled).toBe(true);
  expect(answer).toEqual({ ...whole, connection: 'close', ended: false });

  for (const each of read) each.end();
  await pass(0);
  const next = upload();
  const last = answerTo(readOn, next);
  next.end();
  await pass(0);
  expect(last).toEqual({ ...whole, connection: null });
  await pass(1000);
  expect(answer.ended).toBe(true);
});

it('by default 16 bodies are read, each for 5 s and 32 MiB at most, and 64 are waited for', () => {
  expect(defaultReadOnLimits).toEqual({
    waitMs: 100,
    pauseMs: 1000,
    maxMs: 5000,
    maxBytes: 32 * 2 ** 20,
    maxRead: 16,
    maxBodies: 64,
  });
});
