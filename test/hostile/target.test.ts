/** Methods and request targets that the API does not have, and other ways to write those that it has. */

import { describe, expect } from 'vitest';
import { expectUnsigned, only, test } from './arena.ts';
import { beforeHandlers, build, forbidden, malformed, notAllowed, notFound, type Row } from './rows.ts';
import { signPath } from './wire.ts';

const withoutBody = { type: null, length: null, body: '' };

const methods: readonly Row[] = [
  {
    row: 'A10',
    what: 'CONNECT to an address',
    flaw: { line: 'CONNECT {host} HTTP/1.1' },
    outcome: 'by the parser',
  },
  { row: 'A10', what: 'CONNECT to a path', flaw: { method: 'CONNECT' }, outcome: 'by the parser' },
  { row: 'A11', what: 'TRACE', flaw: { method: 'TRACE', ...withoutBody }, outcome: notAllowed },
  { row: 'A11', what: 'TRACE with a body', flaw: { method: 'TRACE' }, outcome: notAllowed },
  {
    row: 'A12',
    what: 'get in lower case',
    flaw: { method: 'get', ...withoutBody },
    outcome: 'by the parser',
  },
  { row: 'A12', what: 'post in lower case', flaw: { method: 'post' }, outcome: 'by the parser' },
  { row: 'A12', what: 'FOO', flaw: { method: 'FOO' }, outcome: 'by the parser' },
  ...['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].flatMap((method): Row[] => [
    { row: 'A13', what: method, flaw: { method, ...withoutBody }, outcome: notAllowed },
    { row: 'A13', what: `${method} with a body`, flaw: { method }, outcome: notAllowed },
  ]),
  {
    row: 'A13',
    what: 'GET that asks to be taken for POST',
    flaw: { method: 'GET', more: ['X-HTTP-Method-Override: POST'] },
    outcome: notAllowed,
  },
  {
    row: 'A13',
    what: 'POST that asks to be taken for GET',
    flaw: { more: ['X-HTTP-Method-Override: GET'] },
    outcome: 'signed',
  },
];

const target = (row: string, outcome: Row['outcome'], ...targets: readonly string[]): Row[] =>
  targets.map((each) => ({
    row,
    what: each.length > 60 ? `a target of ${each.length} bytes` : JSON.stringify(each),
    flaw: { target: each },
    outcome,
  }));

const targets: readonly Row[] = [
  ...target('A14', notFound, '/v1/../healthz', '/v1/%2e%2e/healthz', '/v1/../livez', '/v1/keys/../../status'),
  ...target('A14', notFound, '/v1/keys/..%2fkeys/demo/sign', '/v1/keys/demo/..%5csign'),
  // The runtime resolves dot segments before anyone sees the path; what is left is judged.
  ...target('A14', 'signed', '/../v1/keys/demo/sign', '/v1/./keys/demo/sign', '/v1/keys/x/%2e%2E/demo/sign'),
  ...target('A15', notFound, `/${signPath}`, '/v1//keys/demo/sign', '/v1/keys//sign', '/v1/keys/demo//sign'),
  ...target(
    'A15',
    notFound,
    `${signPath}/`,
    '/V1/KEYS/demo/SIGN',
    '/v1/keys/demo/Sign',
    `${signPath};x=1`,
    '/',
  ),
  ...target(
    'A15',
    notFound,
    '/v1%2Fkeys/demo/sign',
    '/v1/keys/demo%2Fsign',
    '/v1/keys/demo/%73ign',
    '/v1/keys/dem%6f/sign',
  ),
  ...target(
    'A15',
    notFound,
    `//evil.test${signPath}`,
    '/v1',
    '/v1/',
    '/v1/keys/demo/sign-',
    '/v1/keys/demo/signs',
  ),
  ...target('A16', 'signed', '/v1\\keys\\demo\\sign', '/v1/keys\\demo/sign'),
  ...target('A16', 'by the parser', '\\v1\\keys\\demo\\sign'),
  ...target('A17', malformed, `${signPath}%zz`, `${signPath}%`, `${signPath}%00`, `${signPath}%c3%a9`),
  ...target('A17', malformed, `${signPath}\xc3\xa9`, '/v1/keys/d\xc3\xa9mo/sign', `${signPath}\xff`),
  ...target('A17', 'by the parser', `${signPath}\0`, `${signPath}\t`, `${signPath}\x01`, `${signPath} x`),
  ...target(
    'A19',
    malformed,
    `${signPath}?`,
    `${signPath}?a=b`,
    `${signPath}??`,
    `${signPath}#`,
    `${signPath}#a`,
  ),
  ...target('A19', malformed, '/v1/keys?a=b', '/v1/keys/demo?a', `${signPath}?key=other`),
  ...target('A19', notFound, `${signPath}%3Fa=b`),
  ...target(
    'A27',
    'by the parser',
    `/v1/keys/${'a'.repeat(10 * 1024)}/sign`,
    `/v1/keys/${'a'.repeat(20 * 1024)}/sign`,
  ),
];

/** Rules that must hold for every spelling of the path. */
const combined: readonly Row[] = [
  {
    row: 'A14',
    what: 'dot segments without Sec-Signer',
    flaw: { target: '/v1/./keys/demo/sign', caller: null },
    outcome: forbidden,
  },
  {
    row: 'A16',
    what: 'backslashes without Sec-Signer',
    flaw: { target: '/v1\\keys\\demo\\sign', caller: null },
    outcome: forbidden,
  },
  {
    row: 'A18',
    what: 'a health path as the query',
    flaw: { target: `${signPath}?x=/healthz`, caller: null },
    outcome: malformed,
  },
  {
    row: 'A18',
    what: 'a health path as the fragment',
    flaw: { target: `${signPath}#/livez`, caller: null },
    outcome: malformed,
  },
  { row: 'A18', what: 'no query, no Sec-Signer', flaw: { caller: null }, outcome: forbidden },
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
  beforeHandlers(combined);
});
