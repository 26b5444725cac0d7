/** Methods and request targets that the API does not have, and other ways to write those that it has. */

import { describe, expect } from 'vitest';
import { expectUnsigned, only, test } from './arena.ts';
import {
  beforeHandlers,
  build,
  forbidden,
  malformed,
  notAllowed,
  notFound,
  type Outcome,
  parser,
  type Row,
  rowsOf,
  rowsOfTexts,
} from './rows.ts';
import { signPath } from './wire.ts';

const withoutBody = { type: null, length: null, body: '' };

const methods: readonly Row[] = [
  ...rowsOf('A10', parser, {
    'CONNECT to an address': { line: 'CONNECT {host} HTTP/1.1' },
    'CONNECT to a path': { method: 'CONNECT' },
  }),
  ...rowsOf('A11', notAllowed, {
    TRACE: { method: 'TRACE', ...withoutBody },
    'TRACE with a body': { method: 'TRACE' },
  }),
  ...rowsOfTexts('A12', parser, (method) => ({ method }), ['get', 'post', 'FOO']),
  ...rowsOfTexts('A13', notAllowed, (method) => ({ method, ...withoutBody }), ['GET', 'PUT', 'OPTIONS']),
  ...rowsOfTexts('A13', notAllowed, (method) => ({ method }), ['GET', 'PATCH', 'DELETE']),
  ...rowsOf('A13', notAllowed, {
    'GET that asks to be taken for POST': { method: 'GET', more: ['X-HTTP-Method-Override: POST'] },
  }),
  ...rowsOf('A13', 'signed', {
    'POST that asks to be taken for GET': { more: ['X-HTTP-Method-Override: GET'] },
  }),
];

const target = (row: string, outcome: Outcome, ...targets: readonly string[]): Row[] =>
  rowsOfTexts(row, outcome, (each) => ({ target: each }), targets);

const targets: readonly Row[] = [
  ...target('A14', notFound, '/v1/../healthz', '/v1/%2e%2e/healthz', '/v1/keys/demo/..%5csign'),
  // The runtime resolves dot segments before anyone sees the path; what is left is judged.
  ...target('A14', 'signed', '/../v1/keys/demo/sign', '/v1/./keys/demo/sign', '/v1/keys/x/%2e%2E/demo/sign'),
  ...target(
    'A15',
    notFound,
    `/${signPath}`,
    '/v1/keys//sign',
    `${signPath}/`,
    `${signPath};x=1`,
    '/',
    '/v1/',
  ),
  ...target('A15', notFound, '/v1/keys/demo/Sign', '/v1/keys/demo%2Fsign', '/v1/keys/dem%6f/sign'),
  ...target('A15', notFound, `//evil.test${signPath}`, '/v1/keys/demo/sign-'),
  ...target('A16', 'signed', '/v1\\keys\\demo\\sign', '/v1/keys\\demo/sign'),
  ...target('A16', parser, '\\v1\\keys\\demo\\sign'),
  ...target('A17', malformed, `${signPath}%zz`, `${signPath}%`, `${signPath}%00`, `${signPath}%c3%a9`),
  ...target('A17', malformed, '/v1/keys/d\xc3\xa9mo/sign', `${signPath}\xff`),
  ...target('A17', parser, `${signPath}\0`, `${signPath}\t`, `${signPath} x`),
  ...target('A19', malformed, `${signPath}?`, `${signPath}?key=other`, `${signPath}#a`, '/v1/keys?a=b'),
  ...target('A19', notFound, `${signPath}%3Fa=b`),
  ...target(
    'A27',
    parser,
    `/v1/keys/${'a'.repeat(10 * 1024)}/sign`,
    `/v1/keys/${'a'.repeat(20 * 1024)}/sign`,
  ),
  // Rules that must hold for every spelling of the path.
  ...rowsOf('A14', forbidden, {
    'dot segments without Sec-Signer': { target: '/v1/./keys/demo/sign', caller: null },
  }),
  ...rowsOf('A16', forbidden, {
    'backslashes without Sec-Signer': { target: '/v1\\keys\\demo\\sign', caller: null },
  }),
  ...rowsOf('A18', malformed, {
    'a health path as the query': { target: `${signPath}?x=/healthz`, caller: null },
    'a health path as the fragment': { target: `${signPath}#/livez`, caller: null },
  }),
  ...rowsOf('A18', forbidden, { 'no query, no Sec-Signer': { caller: null } }),
];

describe('methods', () => {
  beforeHandlers(methods);

  test('A11 TRACE repeats nothing of the request', async ({ arena }) => {
    const flaw = { method: 'TRACE', ...withoutBody, more: [`X-Mark: ${arena.message}`] };
    const done = await arena.exchange(arena.tcp, build(arena.tcp, '', flaw));
    expect(only(done).status).toBe(405);
    expectUnsigned(arena, done);
  });

  test('A13 HEAD', async ({ arena }) => {
    for (const door of [arena.tcp, arena.unix, arena.keyless]) {
      const done = await arena.exchange(door, build(door, '', { method: 'HEAD', ...withoutBody }));
      const { status, headers, body } = only(done);
      expect({ status, body, allow: headers.get('allow') }).toEqual({ status: 405, body: '', allow: 'POST' });
    }
  });
});

describe('targets', () => {
  beforeHandlers(targets);
});
