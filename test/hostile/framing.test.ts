/** Requests whose end, headers or protocol can be read in two ways, or not at all. */

import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import { expectSigned, test } from './arena.ts';
import { beforeHandlers, build, expectOutcome, malformed, type Outcome, type Row } from './rows.ts';
import { chunked, type Flaw, request, signPath } from './wire.ts';

const parser: Outcome = 'by the parser';
const message = '{"message":"hello"}';
const chunks = { length: 'Transfer-Encoding: chunked' };

/** A header of its own between the others, or in place of one of them. */
const more = (row: string, what: string, line: string, outcome: Outcome = parser): Row => ({
  row,
  what,
  flaw: { more: [line] },
  outcome,
});
const flawed = (row: string, what: string, flaw: Flaw, outcome: Outcome = parser): Row => ({
  row,
  what,
  flaw,
  outcome,
});
const inChunks = (row: string, what: string, body: string, outcome: Outcome = parser): Row =>
  flawed(row, what, { ...chunks, body }, outcome);

const lengths: readonly Row[] = [
  more('A20', 'Content-Length and chunked', 'Transfer-Encoding: chunked'),
  flawed('A20', 'chunked and Content-Length', {
    ...chunks,
    more: ['Content-Length: 5'],
    body: chunked(message),
  }),
  flawed('A20', 'chunked in HTTP/1.0', {
    ...chunks,
    line: `POST ${signPath} HTTP/1.0`,
    body: chunked(message),
  }),
  more('A20', 'Content-Length and identity', 'Transfer-Encoding: identity'),
  ...['xchunked', 'gzip, chunked', 'chunked, chunked', 'chunked;q=1', 'chunked, identity', 'identity'].map(
    (coding) =>
      flawed('A20', `Transfer-Encoding: ${coding}`, {
        length: `Transfer-Encoding: ${coding}`,
        body: chunked(message),
      }),
  ),
  flawed('A20', 'Transfer-Encoding twice', {
    ...chunks,
    more: ['Transfer-Encoding: identity'],
    body: chunked(message),
  }),
  flawed('A20', 'Transfer-Encoding before a space', {
    length: 'Transfer-Encoding : chunked',
    body: chunked(message),
  }),
  flawed('A21', 'two different lengths', {
    body: message,
    length: 'Content-Length: 19',
    more: ['Content-Length: 20'],
  }),
  flawed(
    'A21',
    'a length twice',
    { body: message, length: 'Content-Length: 19', more: ['Content-Length: 19'] },
    malformed,
  ),
  ...[
    '19, 19',
    '+19',
    '-1',
    '0x13',
    '19a',
    '1 9',
    '',
    '1e1',
    '19.0',
    '9'.repeat(23),
    '18446744073709551635',
  ].map((length) =>
    flawed('A21', `Content-Length: ${length}`, { body: message, length: `Content-Length: ${length}` }),
  ),
];

const headers: readonly Row[] = [
  flawed('A22', 'Content-Length before a space', { body: message, length: 'Content-Length : 19' }),
  flawed('A22', 'Sec-Signer before a space', { caller: 'Sec-Signer : 1' }),
  flawed('A22', 'a first header after a space', { host: ' Host: {host}' }),
  flawed('A22', 'Sec-Signer after a space', { caller: ' Sec-Signer: 1' }),
  more('A22', 'a folded header', 'X-A: b\r\n c'),
  flawed('A22', 'Sec-Signer on a folded line', { caller: 'Sec-Signer:\r\n 1' }),
  more('A22', 'a header without a colon', 'nocolon'),
  more('A22', 'a header without a name', ': value'),
  more('A22', 'a header with brackets in its name', 'X(y): a'),
  flawed('A24', 'one bare LF after a header', { type: 'Content-Type: application/json\nX-A: b' }),
  flawed('A24', 'a header after a bare LF', { type: 'X-A: b\nContent-Type: application/json' }),
  more('A24', 'a bare CR in a value', 'X-A: a\rb'),
  more('A24', 'a header after a bare CR', 'X-A: a\rSec-Signer: 1'),
  more('A24', 'NUL in a value', 'X-A: a\0b'),
  more('A24', 'NUL in a name', 'X\0A: b'),
  more('A24', 'a control character in a value', 'X-A: a\x01b'),
  more('A25', '__proto__', '__proto__: x', 'signed'),
  more(
    'A25',
    'constructor, toString, hasOwnProperty',
    'constructor: x\r\ntoString: y\r\nhasOwnProperty: z',
    'signed',
  ),
  more('A26', 'a header of 20 KiB', `X-A: ${'a'.repeat(20 * 1024)}`),
  more('A26', '3,000 headers', Array.from({ length: 3000 }, (_, i) => `X-${i}: a`).join('\r\n')),
  more('A26', '150 headers', Array.from({ length: 150 }, (_, i) => `X-${i}: a`).join('\r\n')),
  more('A26', '65 headers', Array.from({ length: 61 }, (_, i) => `X-${i}: a`).join('\r\n')),
  more('A26', '64 headers', Array.from({ length: 60 }, (_, i) => `X-${i}: a`).join('\r\n'), 'signed'),
  // The runtime joins them to one, within its bound of 16 KiB.
  more('A26', 'a header 150 times', Array.from({ length: 150 }, () => 'X-A: a').join('\r\n'), 'signed'),
];

const upgrade = (...lines: readonly string[]): Flaw => ({ more: ['Connection: Upgrade', ...lines] });
const socket = [
  'Upgrade: websocket',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];
const protocols: readonly Row[] = [
  flawed(
    'A32',
    'an upgrade to a websocket',
    { ...upgrade(...socket), method: 'GET', type: null, length: null, body: '' },
    malformed,
  ),
  flawed('A32', 'an upgrade to a websocket by POST', upgrade(...socket), malformed),
  flawed(
    'A32',
    'an upgrade to h2c',
    upgrade('Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'),
    malformed,
  ),
  ...['HTTP/2.0', 'HTTP/1.9', 'HTTP/0.9', 'http/1.1', 'HTTX/1.1', 'HTTP/1.1 x', ''].map((version) =>
    flawed('A32', `version "${version}"`, { line: `POST ${signPath} ${version}` }),
  ),
  flawed('A32', 'two spaces in the request line', { line: `POST  ${signPath} HTTP/1.1` }),
];

const chunkFlaws: readonly Row[] = [
  inChunks('A23', 'a size that is no number', `zz\r\n${message}\r\n0\r\n\r\n`),
  inChunks('A23', 'a size beyond 64 bits', `ffffffffffffffff1\r\n${message}\r\n0\r\n\r\n`),
  inChunks('A23', 'a size of 64 bits', `ffffffffffffffff\r\n${message}\r\n0\r\n\r\n`),
  inChunks('A23', 'a negative size', `-13\r\n${message}\r\n0\r\n\r\n`),
  inChunks('A23', 'a size with 0x', `0x13\r\n${message}\r\n0\r\n\r\n`),
  inChunks('A23', 'no size', `\r\n${message}\r\n0\r\n\r\n`),
  inChunks('A23', 'a bare LF after a size', `13\n${message}\r\n0\r\n\r\n`),
  inChunks('A23', 'a bare LF after a chunk', `13\r\n${message}\n0\r\n\r\n`),
  inChunks('A23', 'a chunk longer than its size', `13\r\n${message}xx0\r\n\r\n`),
  inChunks('A23', 'an extension of 20 KiB', `13;${'x'.repeat(20 * 1024)}\r\n${message}\r\n0\r\n\r\n`),
];

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

describe('bodies in chunks', () => {
  // A body is read by its handler, so a handler that has no keys answers before its flaw is seen.
  test.for(chunkFlaws)('$row $what', async ({ flaw, outcome }, { arena }) => {
    for (const door of [arena.tcp, arena.unix])
      expectOutcome(arena, await arena.exchange(door, build(door, '', flaw)), outcome);
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
