/** Callers that the signer does not serve: browsers, proxies, whoever does not speak its protocol. */

import { describe, expect } from 'vitest';
import { test } from './arena.ts';
import { beforeHandlers, build, expectOutcome, forbidden, type Row, unsupported } from './rows.ts';

const callers = [
  ...['0', 'true', '', '11', '1;', '"1"', '1, 1', '01', '\xb9'].map((value) => `Sec-Signer: ${value}`),
  'Sec-Signer: 1\r\nSec-Signer: 1',
  'Sec-Signer: 1\r\nSec-Signer: 0',
  'Sec-Signer: 0\r\nSec-Signer: 1',
  'Sec-Signer: 1\r\nsec-signer: 1',
  'Sec_Signer: 1',
  'X-Sec-Signer: 1',
  'Secsigner: 1',
].map((caller): Row => ({ row: 'A35', what: JSON.stringify(caller), flaw: { caller }, outcome: forbidden }));

const foreign = [
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-Host: localhost',
  'X-Forwarded-Proto: http',
  'X-Forwarded-Anything: x',
  'x-FORWARDED-for: 127.0.0.1',
  'X-Forwarded-For:',
  'Forwarded: for=127.0.0.1',
  'Via: 1.1 proxy',
  'X-Real-IP: 127.0.0.1',
  'Origin: http://{host}',
  'Origin: null',
  'Origin:',
  'Referer: http://{host}/',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Site: none',
].map((line): Row => ({ row: 'A37', what: line, flaw: { more: [line] }, outcome: forbidden }));

const types = [
  null,
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json; charset="utf-8"',
  'application/json; charset=utf-8; x=y',
  'application/json;',
  'application/json, text/plain',
  'application/jsonp',
  'application/octet-stream; charset=utf-8',
  'application/problem+json',
  'application/json\r\nContent-Type: application/json',
  'application/json\r\nContent-Type: text/plain',
  'text/plain\r\nContent-Type: application/json',
].map((type): Row => {
  const flaw = { type: type === null ? null : `Content-Type: ${type}` };
  return {
    row: 'A38',
    what: type === null ? 'no Content-Type' : JSON.stringify(type),
    flaw,
    outcome: unsupported,
  };
});

const encodings = ['br', 'gzip', 'deflate', 'zstd', 'identity', 'identity,identity', 'x', ''].map(
  // Refused on sight of the header: the body that is announced never comes.
  (coding): Row => ({
    row: 'A39',
    what: `Content-Encoding: ${coding}`,
    flaw: { more: [`Content-Encoding: ${coding}`], length: 'Content-Length: 1000', body: '' },
    outcome: unsupported,
  }),
);

const served: readonly Row[] = [
  {
    row: 'A35',
    what: 'another case, and spaces around the value',
    flaw: { caller: 'SEC-SIGNER:  1 \t' },
    outcome: 'signed',
  },
  {
    row: 'A37',
    what: 'Sec-Fetch-Mode, which Node sends itself',
    flaw: { more: ['Sec-Fetch-Mode: cors'] },
    outcome: 'signed',
  },
  {
    row: 'A38',
    what: 'the charset that JSON has',
    flaw: { type: 'Content-Type: application/json; charset=utf-8' },
    outcome: 'signed',
  },
];

describe('the headers decide before any handler', () => {
  beforeHandlers([
    { row: 'A35', what: 'no Sec-Signer', flaw: { caller: null }, outcome: forbidden },
    ...callers,
    ...foreign,
    ...types,
    ...encodings,
    ...served,
  ]);

  // What a page can send without being asked: the fetch of a page has no other headers than these.
  test('A37 a form of a page is refused whatever it posts to', async ({ arena }) => {
    for (const target of [
      '/v1/keys/demo/sign',
      '/v1/keys/demo/sign-batch',
      '/v1/keys/demo/verify',
      '/v1/keys',
    ]) {
      const flaw = {
        target,
        caller: null,
        type: 'Content-Type: text/plain',
        more: ['Origin: http://evil.test', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'],
      };
      const done = await arena.exchange(arena.tcp, build(arena.tcp, arena.body, flaw));
      expectOutcome(arena, done, forbidden);
      expect(done.answers[0]?.headers.has('access-control-allow-origin')).toBe(false);
    }
  });
});
