/** Callers that the signer does not serve: browsers, proxies, whoever does not speak its protocol. */

import { describe, expect } from 'vitest';
import { test } from './arena.ts';
import {
  beforeHandlers,
  build,
  expectOutcome,
  forbidden,
  type Row,
  rowsOf,
  rowsOfTexts,
  unsupported,
} from './rows.ts';

const typeIs = (type: string) => ({ type: `Content-Type: ${type}` });

/** What one header can hold is the guard's own test; here is each kind, as the runtime's parser passes it on. */
const rows: readonly Row[] = [
  ...rowsOf('A35', forbidden, { 'no Sec-Signer': { caller: null } }),
  ...rowsOfTexts('A35', forbidden, (caller) => ({ caller }), [
    'Sec-Signer: 0',
    'Sec-Signer:',
    'Sec-Signer: 1, 1',
    'Sec-Signer: \xb9',
    'Sec-Signer: 1\r\nSec-Signer: 1',
    'Sec-Signer: 0\r\nsec-signer: 1',
    'Sec_Signer: 1',
  ]),
  ...rowsOf('A35', 'signed', {
    'another case, and spaces around the value': { caller: 'SEC-SIGNER:  1 \t' },
  }),
  ...rowsOfTexts('A37', forbidden, (line) => ({ more: [line] }), [
    'x-FORWARDED-for: 127.0.0.1',
    'X-Forwarded-Anything:',
    'Forwarded: for=127.0.0.1',
    'Via: 1.1 proxy',
    'X-Real-IP: 127.0.0.1',
    'Origin: http://{host}',
    'Origin:',
    'Referer: http://{host}/',
    'Sec-Fetch-Site: same-origin',
  ]),
  ...rowsOf('A37', 'signed', {
    'Sec-Fetch-Mode, which Node sends itself': { more: ['Sec-Fetch-Mode: cors'] },
  }),
  ...rowsOf('A38', unsupported, { 'no Content-Type': { type: null } }),
  ...rowsOfTexts('A38', unsupported, typeIs, [
    '',
    'text/plain',
    'application/json, text/plain',
    'application/json\r\nContent-Type: application/json',
    'text/plain\r\nContent-Type: application/json',
  ]),
  ...rowsOf('A38', unsupported, { 'JSON twice': { more: ['Content-Type: application/json'] } }),
  ...rowsOfTexts('A62', 'signed', typeIs, [
    'application/json; charset=utf-8',
    'application/json; charset="UTF-8"',
    'application/json ;charset=utf-8',
    'application/json;',
    'application/json;; ',
    'application/json; x=y; charset=utf-8',
  ]),
  ...rowsOfTexts('A62', unsupported, typeIs, [
    'application/json; charset=utf-16',
    'application/json; charset=utf-8; charset=utf-16',
    'application/json; charset',
    'application/json; charset="utf-8',
    'application/json; x="a, application/octet-stream"',
    `application/json;${' '.repeat(6_000)}x`,
    `application/json${'; '.repeat(3_000)}x`,
  ]),
  // Refused on sight of the header: the body that is announced never comes.
  ...rowsOfTexts(
    'A39',
    unsupported,
    (coding) => ({ more: [`Content-Encoding: ${coding}`], length: 'Content-Length: 1000', body: '' }),
    ['gzip', 'identity', ''],
  ),
];

describe('the headers decide before any handler', () => {
  beforeHandlers(rows);

  // What a page can send without being asked: the fetch of a page has no other headers than these.
  test('A37 a form of a page is refused whatever it posts to', async ({ arena }) => {
    for (const target of ['/v1/keys/demo/sign', '/v1/keys/demo/sign-batch', '/v1/keys']) {
      const flaw = {
        target,
        caller: null,
        ...typeIs('text/plain'),
        more: ['Origin: http://evil.test', 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'],
      };
      const done = await arena.exchange(arena.tcp, build(arena.tcp, arena.body, flaw));
      expectOutcome(arena, done, forbidden);
      expect(done.answers[0]?.headers.has('access-control-allow-origin')).toBe(false);
    }
  });
});
