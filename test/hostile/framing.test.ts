/** Requests whose end, headers or protocol can be read in two ways, or not at all. */

import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import { expectSigned, test } from './arena.ts';
import {
  beforeHandlers,
  build,
  expectOutcome,
  malformed,
  type Outcome,
  parser,
  type Row,
  rowsOf,
  rowsOfTexts,
} from './rows.ts';
import { chunked, type Flaw, request, signPath } from './wire.ts';

const message = '{"message":"hello"}';
const chunks = { length: 'Transfer-Encoding: chunked' };
const inChunks = { ...chunks, body: chunked(message) };
const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\r\n');

/** A header of its own between the others. */
const more = (row: string, outcome: Outcome, headers: Readonly<Record<string, string>>): Row[] =>
  Object.entries(headers).map(([what, line]) => ({ row, what, flaw: { more: [line] }, outcome }));

const lengths: readonly Row[] = [
  ...more('A20', parser, {
    'Content-Length and chunked': 'Transfer-Encoding: chunked',
    'Content-Length and identity': 'Transfer-Encoding: identity',
  }),
  ...rowsOf('A20', parser, {
    'chunked and Content-Length': { ...inChunks, more: ['Content-Length: 5'] },
    'chunked in HTTP/1.0': { ...inChunks, line: `POST ${signPath} HTTP/1.0` },
    'Transfer-Encoding twice': { ...inChunks, more: ['Transfer-Encoding: identity'] },
    'Transfer-Encoding before a space': { ...inChunks, length: 'Transfer-Encoding : chunked' },
  }),
  ...rowsOfTexts('A20', parser, (coding) => ({ ...inChunks, length: `Transfer-Encoding: ${coding}` }), [
    'xchunked',
    'gzip, chunked',
    'chunked, chunked',
    'chunked;q=1',
    'identity',
  ]),
  ...rowsOf('A21', parser, {
    'two different lengths': {
      body: message,
      length: 'Content-Length: 19',
      more: ['Content-Length: 20'],
    },
  }),
  ...rowsOf('A21', malformed, {
    'a length twice': { body: message, length: 'Content-Length: 19', more: ['Content-Length: 19'] },
  }),
  ...rowsOfTexts('A21', parser, (length) => ({ body: message, length: `Content-Length: ${length}` }), [
    '19, 19',
    '+19',
    '-1',
    '0x13',
    '1 9',
    '',
    '19.0',
    '18446744073709551635',
  ]),
];

const headers: readonly Row[] = [
  ...rowsOf('A22', parser, {
    'Content-Length before a space': { body: message, length: 'Content-Length : 19' },
    'Sec-Signer before a space': { caller: 'Sec-Signer : 1' },
    'a first header after a space': { host: ' Host: {host}' },
    'Sec-Signer after a space': { caller: ' Sec-Signer: 1' },
    'Sec-Signer on a folded line': { caller: 'Sec-Signer:\r\n 1' },
  }),
  ...more('A22', parser, {
    'a folded header': 'X-A: b\r\n c',
    'a header without a colon': 'nocolon',
    'a header without a name': ': value',
    'a header with brackets in its name': 'X(y): a',
  }),
  ...rowsOf('A24', parser, {
    'one bare LF after a header': { type: 'Content-Type: application/json\nX-A: b' },
    'a header after a bare LF': { type: 'X-A: b\nContent-Type: application/json' },
  }),
  ...more('A24', parser, {
    'a header after a bare CR': 'X-A: a\rSec-Signer: 1',
    'NUL in a value': 'X-A: a\0b',
    'NUL in a name': 'X\0A: b',
    'a control character in a value': 'X-A: a\x01b',
  }),
  ...more('A25', 'signed', { 'names of properties': '__proto__: x\r\nconstructor: x\r\nhasOwnProperty: z' }),
  ...more('A26', parser, {
    'a header of 9 KiB': `X-A: ${'a'.repeat(9 * 1024)}`,
    'a header of 20 KiB': `X-A: ${'a'.repeat(20 * 1024)}`,
    '3,000 headers': lines(3000, (index) => `X-${index}: a`),
    '65 headers': lines(61, (index) => `X-${index}: a`),
  }),
  ...more('A26', 'signed', {
    'a header of 7 KiB': `X-A: ${'a'.repeat(7 * 1024)}`,
    '64 headers': lines(60, (index) => `X-${index}: a`),
    // The runtime joins them to one, within its bound of 8 KiB.
    'a header 150 times': lines(150, () => 'X-A: a'),
  }),
];

const upgrade = (...lines: readonly string[]): Flaw => ({ more: ['Connection: Upgrade', ...lines] });
const socket = [
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];
const protocols: readonly Row[] = [
  ...rowsOf('A32', malformed, {
    'an upgrade to a websocket': { ...upgrade(...socket), method: 'GET', type: null, length: null, body: '' },
    'an upgrade to a websocket by POST': upgrade(...socket),
  }),
  ...rowsOfTexts('A58', malformed, (protocols) => upgrade(`Upgrade: ${protocols}`), [
    'WebSocket',
    'h2c, websocket',
    'websocket/13',
    'websocket, h2c',
    'h2c\r\nUpgrade: websocket',
  ]),
  ...rowsOfTexts('A58', 'signed', (protocols) => upgrade(`Upgrade: ${protocols}`), [
    'h2c',
    'TLS/1.0',
    'HTTP/2.0, SHTTP/1.3',
    'h2c\r\nUpgrade: h2c',
    'websockets',
    '',
  ]),
  ...rowsOf('A58', 'signed', {
    'what Java sends': {
      more: [
        'Connection: Upgrade, HTTP2-Settings',
        'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
        'Upgrade: h2c',
      ],
    },
  }),
  ...more('A58', 'signed', {
    'an expectation': 'Expect: 100-Continue',
    'an expectation that nobody knows': 'Expect: 200-ok',
  }),
  ...rowsOfTexts('A32', parser, (version) => ({ line: `POST ${signPath} ${version}` }), [
    'HTTP/2.0',
    'HTTP/1.9',
    'HTTP/0.9',
    'http/1.1',
    'HTTP/1.1 x',
    '',
  ]),
  ...rowsOf('A32', parser, { 'two spaces in the request line': { line: `POST  ${signPath} HTTP/1.1` } }),
];

const afterChunk = `${message}\r\n0\r\n\r\n`;
const chunkFlaws = Object.entries({
  'a size that is no number': `zz\r\n${afterChunk}`,
  'a size beyond 64 bits': `ffffffffffffffff1\r\n${afterChunk}`,
  'a size of 64 bits': `ffffffffffffffff\r\n${afterChunk}`,
  'a negative size': `-13\r\n${afterChunk}`,
  'a size with 0x': `0x13\r\n${afterChunk}`,
  'no size': `\r\n${afterChunk}`,
  'a bare LF after a size': `13\n${afterChunk}`,
  'a bare LF after a chunk': `13\r\n${message}\n0\r\n\r\n`,
  'a chunk longer than its size': `13\r\n${message}xx0\r\n\r\n`,
  'an extension of 20 KiB': `13;${'x'.repeat(20 * 1024)}\r\n${afterChunk}`,
});

/** What other protocols say first. */
const strangers: Readonly<Record<string, Buffer>> = {
  'the preface of HTTP/2': Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  'a request of HTTP/0.9': Buffer.from(`GET ${signPath}\r\n`),
  'a TLS ClientHello': Buffer.concat([
    Buffer.from('1603010200010001fc0303', 'hex'),
    randomBytes(32),
    Buffer.from('20', 'hex'),
    randomBytes(469),
  ]),
  Redis: Buffer.from('*1\r\n$4\r\nPING\r\n'),
  'Redis, inline': Buffer.from('PING\r\n'),
  SMTP: Buffer.from('EHLO evil.test\r\nMAIL FROM:<a@evil.test>\r\n'),
  SSH: Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'),
  'empty lines': Buffer.from('\r\n\r\n'),
};

describe('requests', () => {
  beforeHandlers(lengths);
  beforeHandlers(headers);
  beforeHandlers(protocols);

  test('A24 a bare LF after each line', async ({ arena }) => {
    for (const door of [arena.tcp, arena.unix, arena.keyless]) {
      const bare = Buffer.from(
        build(door, arena.body, {}).toString('latin1').replaceAll('\r\n', '\n'),
        'latin1',
      );
      expectOutcome(arena, await arena.exchange(door, bare), parser);
    }
  });
});

test.for(['Content-Length', 'chunks'])(
  'A58 what follows a body (%s) whose head asked for an upgrade is another request',
  async (how, { arena }) => {
    const flaw = upgrade('Upgrade: h2c');
    for (const door of [arena.tcp, arena.unix]) {
      const first =
        how === 'chunks'
          ? build(door, chunked(arena.body), { ...chunks, ...flaw })
          : build(door, arena.body, flaw);
      const both = Buffer.concat([first, request(door, { body: arena.body })]);
      const { answers } = await arena.exchange(door, both, 2);
      const signature = arena.tag(arena.message);
      expect(answers.map(({ body }) => JSON.parse(body))).toMatchObject([{ signature }, { signature }]);
    }
  },
);

describe('bodies in chunks', () => {
  // A body is read by its handler, so a handler that has no keys answers before its flaw is seen.
  test.for(chunkFlaws)('A23 %s', async ([, body], { arena }) => {
    for (const door of [arena.tcp, arena.unix])
      expectOutcome(arena, await arena.exchange(door, build(door, body, chunks)), parser);
  });

  test('A23 a chunk with a short extension is signed', async ({ arena }) => {
    const body = chunked(arena.body).replace('\r\n', ';a=b\r\n');
    expectOutcome(arena, await arena.exchange(arena.tcp, build(arena.tcp, body, chunks)), 'signed');
  });

  test.for(['X-A: b', 'POST /v1/keys/demo/sign HTTP/1.1'])(
    'A23 what follows the last chunk (%s) is refused, and not taken for a request',
    async (trailer, { arena }) => {
      const { tcp } = arena;
      const body = chunked(arena.body).slice(0, -2);
      const after = request(tcp, { line: trailer }).toString('latin1');
      const { answers, closed } = await arena.exchange(tcp, build(tcp, `${body}${after}`, chunks), 2);
      expect(answers.map(({ status }) => status)).toEqual([200, 400]);
      expect(closed).toBe(true);
    },
  );
});

describe('what is no request at all', () => {
  test.for(Object.entries(strangers))('A33 %s', async ([, bytes], { arena }) => {
    for (const door of [arena.tcp, arena.unix, arena.keyless])
      expectOutcome(arena, await arena.exchange(door, bytes), parser);
    await expectSigned(arena);
  });

  test('A33 200 random bytes, 200 times', async ({ arena }) => {
    for (let round = 0; round < 200; round++) {
      // A line end, without which the rest of a line would be waited for.
      const noise = Buffer.concat([randomBytes(200), Buffer.from('\r\n\r\n')]);
      expectOutcome(arena, await arena.exchange(arena.tcp, noise), parser);
    }
    await expectSigned(arena);
  });
});
