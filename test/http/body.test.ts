/** Request bodies within their bounds of size, time and memory. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SignerError } from '../../src/api/errors.ts';
import {
  type BodyLimits,
  type BodyReader,
  createBodyReader,
  defaultBodyLimits,
} from '../../src/http/body.ts';
import { createBodyShares } from '../../src/http/body-shares.ts';

const mebibyte = 2 ** 20;
const limits: BodyLimits = {
  maxJsonBytes: 1000,
  timeoutMs: 5000,
  minBytesPerSecond: 1000,
  maxStreamMs: 60_000,
  smallBytes: 100,
  maxHeldBytes: mebibyte + 1000,
};

const advice = 'write less';
const upTo = (maxJsonBytes: number) => createBodyReader({ ...limits, maxJsonBytes });

/** A request whose body arrives as the test says. */
interface Transfer {
  readonly request: Request;
  send(part: string | Uint8Array): void;
  end(): void;
  breakOff(): void;
  /** Whether the reader gave the transfer up. */
  readonly cancelled: boolean;
}

function transfer(headers: Record<string, string> = { 'transfer-encoding': 'chunked' }): Transfer {
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
    send: (part) => controller?.enqueue(typeof part === 'string' ? Buffer.from(part) : new Uint8Array(part)),
    end: () => controller?.close(),
    breakOff: () => controller?.error(new Error('SECRET connection reset')),
    get cancelled() {
      return cancelled;
    },
  };
}

/** A request whose body is already there. */
function whole(body: string | Uint8Array, declared = true): Request {
  const bytes = Buffer.from(body);
  const headers: Record<string, string> = declared
    ? { 'content-length': String(bytes.length) }
    : { 'transfer-encoding': 'chunked' };
  return new Request('http://localhost/', { method: 'POST', body: bytes, headers });
}

const withLength = (length: number) => transfer({ 'content-length': String(length) });

/** The error with which a promise is rejected. */
async function refusal(promise: Promise<unknown>): Promise<SignerError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof SignerError) return error;
  throw new Error('expected a SignerError', { cause: error });
}

async function collect(reader: BodyReader, request: Request): Promise<string> {
  let text = '';
  await reader.parts(request, (part) => {
    text += Buffer.from(part).toString();
  });
  return text;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(async () => {
  // A timer that goes on and on would never let this end.
  await vi.runAllTimersAsync();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe.each([
  ['of a declared length', true],
  ['in chunks', false],
])('a JSON body %s', (_, declared) => {
  const read = (body: string | Uint8Array, maxBytes = 100) =>
    upTo(maxBytes).json(whole(body, declared), advice);

  it.each<[string, unknown]>([
    ['{"message":"hällo"}', { message: 'hällo' }],
    [' [1, 2] \n', [1, 2]],
    ['null', null],
    ['"\\ud800"', '\ud800'],
  ])('%j is parsed', async (text, value) => {
    expect(await read(text)).toEqual(value);
  });

  it.each<[string, string | Uint8Array]>([
    ['empty', ''],
    ['cut off', '{"message":"hello'],
    ['followed by something', '{} {}'],
    ['preceded by a byte order mark', '\ufeff{}'],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['an overlong form in UTF-8', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['NaN', '{"a":NaN}'],
    ['with a comment', '{/**/}'],
    ['with a trailing comma', '[1,]'],
    ['with a raw NUL in a string', '"\0"'],
  ])('that is %s is malformed', async (_what, body) => {
    expect(await refusal(read(body))).toMatchObject({ code: 'malformed_request' });
  });

  it('may have exactly as many bytes as are allowed', async () => {
    expect(await read(`"${'x'.repeat(98)}"`)).toBe('x'.repeat(98));
    expect(await refusal(read(`"${'x'.repeat(99)}"`))).toMatchObject({
      code: 'message_too_large',
      headers: {},
    });
  });

  it('is measured in bytes, not in characters', async () => {
    expect(await refusal(read(`"${'ä'.repeat(50)}"`))).toMatchObject({ code: 'message_too_large' });
  });

  it('may be several times as long as a small one', async () => {
    expect(await read(`"${'x'.repeat(998)}"`, 1000)).toBe('x'.repeat(998));
  });

  it('that is refused shows nothing of itself in the error', async () => {
    const error = await refusal(read('{"SECRET": SECRET'));
    expect(error.message).not.toContain('SECRET');
    expect(error.cause).toBeUndefined();
  });
});

describe('a JSON body', () => {
  it('over the limit by its declared length is refused before a byte of it has come', async () => {
    const { request } = withLength(101);
    expect(await refusal(upTo(100).json(request, advice))).toMatchObject({
      code: 'message_too_large',
      message: 'a JSON body has at most 100 bytes; write less',
    });
  });

  it('over the limit without a declared length is given up where it gets there', async () => {
    const upload = transfer();
    const outcome = refusal(upTo(100).json(upload.request, advice));
    upload.send('x'.repeat(60));
    upload.send('x'.repeat(60));
    expect(await outcome).toMatchObject({ code: 'message_too_large' });
    // The rest is read after the answer.
    expect(upload).toMatchObject({ cancelled: false, request: { body: { locked: false } } });
  });

  it.each([withLength(20), transfer()])(
    'that does not come within the time is refused (%#)',
    async (upload) => {
      const outcome = refusal(upTo(100).json(upload.request, advice));
      upload.send('{"message":');
      await vi.advanceTimersByTimeAsync(4999);
      expect(vi.getTimerCount()).toBeGreaterThan(0);
      await vi.advanceTimersByTimeAsync(1);
      expect(await outcome).toMatchObject({ code: 'timeout', headers: { connection: 'close' } });
    },
  );

  it.each([withLength(20), transfer()])('cannot win time by coming byte by byte (%#)', async (upload) => {
    const outcome = refusal(upTo(100).json(upload.request, advice));
    for (let second = 0; second < 5; second++) {
      upload.send(' ');
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(await outcome).toMatchObject({ code: 'timeout' });
  });

  it.each([withLength(20), transfer()])('that breaks off is malformed (%#)', async (upload) => {
    const outcome = refusal(upTo(100).json(upload.request, advice));
    upload.send('{"message":');
    upload.breakOff();
    const error = await outcome;
    expect(error).toMatchObject({ code: 'malformed_request', headers: { connection: 'close' } });
    expect(error.message).not.toContain('SECRET');
  });
});

describe('a short body that comes after its time', () => {
  it.each([
    [
      'JSON',
      (reader: BodyReader, { request }: Transfer, use: () => void) => reader.json(request, advice, use),
    ],
    ['a message', (reader: BodyReader, { request }: Transfer, use: () => void) => reader.parts(request, use)],
  ])('is not used any more, because its request was refused: %s', async (_, read) => {
    const use = vi.fn();
    const upload = withLength(2);
    const outcome = refusal(read(createBodyReader(limits), upload, use));
    await vi.advanceTimersByTimeAsync(5000);
    expect(await outcome).toMatchObject({ code: 'timeout' });
    upload.send('{}');
    upload.end();
    await vi.runAllTimersAsync();
    // The body has been read by then.
    await new Promise((resolve) => setImmediate(resolve));
    expect(use).not.toHaveBeenCalled();
  });
});

describe('the memory for bodies', () => {
  const busy = { code: 'overloaded', headers: { 'retry-after': '1' } };

  it('is shared by all requests at work, and a body that does not fit is refused at once', async () => {
    const reader = createBodyReader({ ...limits, maxHeldBytes: 1000 });
    const first = withLength(600);
    const outcome = reader.json(first.request, advice);
    expect(await refusal(reader.json(withLength(401).request, advice))).toMatchObject(busy);
    first.send('{}');
    first.end();
    expect(await outcome).toEqual({});
  });

  it('is always there for a small body, however many others stall', async () => {
    const reader = createBodyReader({ ...limits, maxHeldBytes: 1000 });
    const first = withLength(1000);
    const outcome = reader.json(first.request, advice);
    expect(await refusal(reader.json(withLength(101).request, advice))).toMatchObject(busy);
    expect(await reader.json(whole('{}'), advice)).toEqual({});
    first.send('{}');
    first.end();
    await outcome;
  });

  it('counts a body of unknown length, or a very long one, for as much as the runtime reads ahead', async () => {
    const reader = createBodyReader(limits);
    const first = transfer();
    const outcome = reader.json(first.request, advice);
    expect(await refusal(reader.json(transfer().request, advice))).toMatchObject(busy);
    const long = withLength(2 ** 30).request;
    expect(await refusal(collect(reader, long))).toMatchObject(busy);
    first.send('1');
    first.end();
    expect(await outcome).toBe(1);
  });

  it.each<[string, (upload: Transfer) => unknown]>([
    ['is read', (upload) => [upload.send('{}'), upload.end()]],
    ['is malformed', (upload) => [upload.send('{'), upload.end()]],
    ['breaks off', (upload) => upload.breakOff()],
    ['times out', () => vi.advanceTimersByTimeAsync(5000)],
  ])('is free again when a body %s', async (_, finish) => {
    const reader = createBodyReader({ ...limits, maxHeldBytes: 1000 });
    const upload = withLength(1000);
    const outcome = reader.json(upload.request, advice).catch(() => undefined);
    expect(await refusal(reader.json(withLength(200).request, advice))).toMatchObject(busy);
    await finish(upload);
    await outcome;
    expect(await reader.json(whole(`"${'x'.repeat(998)}"`), advice)).toHaveLength(998);
  });

  it('is collected after some long bodies, and after no short one', async () => {
    const collected = vi.fn();
    const reader = createBodyReader(
      defaultBodyLimits,
      createBodyShares({ ...defaultBodyLimits, collectGarbage: collected })(),
    );
    const read = (length: number, declared: boolean) =>
      reader.json(whole(`"${'x'.repeat(length - 2)}"`, declared), advice);
    for (let count = 0; count < 50; count++) await read(127 * 1024, count % 2 === 0);
    expect(collected).not.toHaveBeenCalled();
    for (let count = 0; count < 7; count++) await read(mebibyte / 2, count % 2 === 0);
    expect(collected).not.toHaveBeenCalled();
    await read(mebibyte / 2, true);
    expect(collected).toHaveBeenCalledOnce();
  });

  it('is not used up by bodies that were refused', async () => {
    const reader = upTo(800);
    for (let i = 0; i < 10; i++) {
      expect(await refusal(reader.json(withLength(900).request, advice))).toMatchObject({
        code: 'message_too_large',
      });
    }
    expect(await reader.json(whole('{}'), advice)).toEqual({});
  });
});

describe('bodies in turn', () => {
  const text = async (bytes: Uint8Array) => Buffer.from(bytes).toString();

  it('are used one at a time and in order, also after one that failed', async () => {
    const reader = createBodyReader(limits);
    const steps: string[] = [];
    const use = (name: string, fails: boolean) => async () => {
      steps.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 10));
      steps.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
    const turns = ['a', 'b', 'c'].map((name) =>
      reader.inTurn(whole(name), advice, use(name, name === 'b')).catch(({ message }) => `not ${message}`),
    );
    await vi.advanceTimersByTimeAsync(30);
    expect(await Promise.all(turns)).toEqual(['a', 'not b', 'c']);
    const names = ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]);
    expect(steps).toEqual(names);
  });

  it('count as held until they have been used, but for the small ones', async () => {
    const reader = createBodyReader({ ...limits, maxHeldBytes: 300 });
    const used = Promise.withResolvers<void>();
    const first = reader.inTurn(whole('x'.repeat(200)), advice, () => used.promise);
    const refused = await refusal(reader.inTurn(whole('x'.repeat(101)), advice, text));
    expect(refused).toMatchObject({ code: 'overloaded', headers: { 'retry-after': '1' } });
    const small = reader.inTurn(whole('1234'), advice, text);
    used.resolve();
    await first;
    expect(await small).toBe('1234');
    expect(await reader.inTurn(whole('x'.repeat(101)), advice, text)).toHaveLength(101);
  });

  it('are refused when their turn comes too late, or when their callers have gone', async () => {
    const reader = createBodyReader(limits);
    const long = reader.inTurn(whole('long'), advice, async (bytes) => {
      await new Promise((resolve) => setTimeout(resolve, limits.timeoutMs + 1));
      return text(bytes);
    });
    const late = refusal(reader.inTurn(whole('late'), advice, text));
    const going = new AbortController();
    const gone = refusal(
      reader.inTurn(new Request(whole('gone'), { signal: going.signal }), advice, async () => {
        throw new Error('its turn was not to come');
      }),
    );
    await vi.advanceTimersByTimeAsync(1);
    going.abort();
    await vi.advanceTimersByTimeAsync(limits.timeoutMs + 1);
    expect(await long).toBe('long');
    expect(await late).toMatchObject({ code: 'overloaded', headers: { 'retry-after': '1' } });
    expect(await gone).toMatchObject({ code: 'malformed_request' });
  });

  it('over the bound are refused before a byte of them has come', async () => {
    const upload = withLength(101);
    const error = await refusal(upTo(100).inTurn(upload.request, advice, text));
    expect(error).toMatchObject({ code: 'message_too_large', headers: {} });
  });
});

describe('what several callers share', () => {
  const read = (reader: BodyReader, upload: Transfer) => reader.json(upload.request, advice);

  it.each([1, 2, 16])('is memory of which each of %i callers always has its part', async (callers) => {
    const createShare = createBodyShares({ maxHeldBytes: 8 * mebibyte });
    const readers = Array.from({ length: callers }, () => createBodyReader(limits, createShare()));
    const [greedy, ...rest] = readers as [BodyReader, ...BodyReader[]];
    const holders = [...Array.from({ length: 8 }, () => greedy), ...rest];
    const uploads = holders.map(() => transfer());
    const outcomes = holders.map((reader, index) => read(reader, uploads[index] as Transfer));
    for (const reader of readers) {
      expect(await refusal(read(reader, transfer()))).toMatchObject({ code: 'overloaded' });
    }
    for (const upload of uploads) {
      upload.send('1');
      upload.end();
    }
    expect(await Promise.all(outcomes)).toEqual(uploads.map(() => 1));
  });

  it('are turns, so that no caller waits for all the bodies of another one', async () => {
    const createShare = createBodyShares({ maxHeldBytes: mebibyte });
    const [web, worker] = [createBodyReader(limits, createShare()), createBodyReader(limits, createShare())];
    const order: string[] = [];
    const use = (name: string) => async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      order.push(name);
    };
    const turns = ['a', 'b', 'c', 'd'].map((name) => web.inTurn(whole(name), advice, use(name)));
    await vi.advanceTimersByTimeAsync(1);
    turns.push(worker.inTurn(whole('worker'), advice, use('worker')));
    await vi.advanceTimersByTimeAsync(50);
    await Promise.all(turns);
    expect(order.indexOf('worker')).toBeLessThan(3);
    expect(order.filter((name) => name !== 'worker')).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('the memory of a part', () => {
  const ownBuffer = () => new Uint8Array(5).fill(120);

  it('is freed when it has been used', async () => {
    const upload = transfer();
    const seen: { readonly part: Uint8Array; readonly length: number }[] = [];
    const outcome = createBodyReader(limits).parts(upload.request, (part) => {
      seen.push({ part, length: part.length });
    });
    upload.send(ownBuffer());
    upload.end();
    await outcome;
    expect(seen).toMatchObject([{ part: { length: 0 }, length: 5 }]);
  });
});

describe('the parts of a message', () => {
  it('come in order, whatever their bytes', async () => {
    const { parts } = createBodyReader(limits);
    const upload = transfer();
    const received: Uint8Array[] = [];
    const outcome = parts(upload.request, (part) => {
      received.push(part.slice());
    });
    upload.send(Uint8Array.of(0, 255, 254));
    upload.send('é');
    upload.end();
    await outcome;
    expect(Buffer.concat(received)).toEqual(Buffer.from([0, 255, 254, 0xc3, 0xa9]));
  });

  it('are none where there is no body', async () => {
    const request = new Request('http://localhost/', { method: 'POST' });
    expect(await collect(createBodyReader(limits), request)).toBe('');
  });

  it('have no limit of size in all', async () => {
    const message = 'x'.repeat(10_000);
    expect(await collect(createBodyReader(limits), whole(message))).toBe(message);
  });

  it('may go on for as long as they keep coming fast enough', async () => {
    const upload = transfer();
    const outcome = collect(createBodyReader(limits), upload.request);
    for (let second = 0; second < 59; second++) {
      upload.send('x'.repeat(1000));
      await vi.advanceTimersByTimeAsync(1000);
    }
    upload.end();
    expect(await outcome).toHaveLength(59_000);
  });

  const tooLong = {
    code: 'timeout',
    message: 'the whole message must arrive within 60 seconds; send it faster',
    headers: { connection: 'close' },
  };

  it.each([1000, 100_000])('must end at some time, though %i bytes come each second', async (bytes) => {
    const upload = transfer();
    const outcome = refusal(collect(createBodyReader(limits), upload.request));
    let seconds = 0;
    for (; !upload.cancelled && seconds < 70; seconds++) {
      upload.send('x'.repeat(bytes));
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(seconds).toBe(60);
    expect(await outcome).toMatchObject(tooLong);
  });

  it('must end at that time even where the next is always there, so that nothing is waited for', async () => {
    const upload = transfer();
    let seconds = 0;
    upload.send('x'.repeat(1000));
    const outcome = createBodyReader(limits).parts(upload.request, () => {
      seconds++;
      upload.send('x'.repeat(1000));
      vi.advanceTimersByTime(1000);
    });
    expect(await refusal(outcome)).toMatchObject(tooLong);
    expect(seconds).toBe(60);
    expect(upload.cancelled).toBe(true);
  });

  it('time out when they pause for too long, however fast they came before', async () => {
    const upload = transfer();
    const outcome = refusal(collect(createBodyReader(limits), upload.request));
    upload.send('x'.repeat(1_000_000));
    await vi.advanceTimersByTimeAsync(4999);
    expect(upload.cancelled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await outcome).toMatchObject({ code: 'timeout' });
    expect(upload.cancelled).toBe(true);
  });

  it('time out when they trickle, though they never pause', async () => {
    const upload = transfer();
    const outcome = refusal(collect(createBodyReader(limits), upload.request));
    // At half the required rate they are five seconds behind after ten.
    let seconds = 0;
    for (; !upload.cancelled && seconds < 60; seconds++) {
      upload.send('x'.repeat(500));
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(seconds).toBe(10);
    expect(await outcome).toMatchObject({ code: 'timeout' });
  });

  it('that break off are malformed', async () => {
    const upload = transfer();
    const outcome = refusal(collect(createBodyReader(limits), upload.request));
    upload.send('x');
    upload.breakOff();
    expect(await outcome).toMatchObject({ code: 'malformed_request' });
  });

  it('are not asked for any more when their use fails', async () => {
    const upload = transfer();
    upload.send('first');
    upload.send('second');
    const seen: string[] = [];
    const outcome = createBodyReader(limits).parts(upload.request, (part) => {
      seen.push(Buffer.from(part).toString());
      throw new Error('no more');
    });
    await expect(outcome).rejects.toThrow('no more');
    expect(seen).toEqual(['first']);
    // After a refusal, the rest is read by others.
    expect(upload).toMatchObject({ cancelled: false, request: { body: { locked: false } } });
  });
});

it('by default takes 1 MiB of JSON, holds 8 MiB of bodies over 16 KiB, waits 5 s, and wants 64 KiB a second of a stream that ends in 10 minutes', () => {
  expect(defaultBodyLimits).toEqual({
    maxJsonBytes: mebibyte,
    timeoutMs: 5000,
    minBytesPerSecond: 65536,
    maxStreamMs: 600_000,
    smallBytes: 16 * 1024,
    maxHeldBytes: 8 * mebibyte,
  });
});
