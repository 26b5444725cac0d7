/** Requests for another host, or for none. */

import { describe, expect } from 'vitest';
import { type Arena, expectProblem, expectSigned, only, test } from './arena.ts';
import {
  beforeHandlers,
  build,
  forbidden,
  malformed,
  notFound,
  parser,
  type Row,
  rowsOf,
  rowsOfTexts,
} from './rows.ts';
import { type Flaw, signPath } from './wire.ts';

const longer = { target: `/AAA${signPath}` };
const oldLine = `POST ${signPath} HTTP/1.0`;
const longerOldLine = `POST /AAA${signPath} HTTP/1.0`;
const hostIs = (host: string) => ({ host: `Host: ${host}` });

const rows: readonly Row[] = [
  ...rowsOf('A01', parser, { 'no Host': { host: null } }),
  ...rowsOfTexts('A02', malformed, hostIs, ['', '  ']),
  ...rowsOfTexts('A03', forbidden, hostIs, ['evil.test', 'evil.test:{port}']),
  ...rowsOf('A04', malformed, {
    'our Host twice': { more: ['Host: {host}'] },
    'our Host, then a foreign one': { more: ['Host: evil.test'] },
    'a foreign Host, then ours': { host: 'Host: evil.test', more: ['Host: {host}'] },
  }),
  ...rowsOfTexts('A05', malformed, hostIs, ['{host}@evil.test', 'evil@{host}']),
  ...rowsOfTexts('A06', malformed, (host) => ({ ...longer, ...hostIs(host) }), ['', 'a b', 'x@y']),
  ...rowsOf('A06', notFound, { 'a longer path, our Host': longer }),
  ...rowsOf('A07', malformed, {
    'HTTP/1.0 without Host': { line: oldLine, host: null },
    'a longer path, HTTP/1.0': { line: longerOldLine, host: null },
  }),
  ...rowsOf('A08', forbidden, {
    'our address in an absolute target alone': { target: `http://{host}${signPath}`, ...hostIs('evil.test') },
  }),
  ...rowsOfTexts('A08', parser, (target) => ({ target }), [`file://${signPath}`, 'evil.test:80']),
];

/** Other ways to write the loopback address, or to name it without our port; the guard's own test has more. */
const aliases = [
  '127.1:{port}',
  '[::ffff:127.0.0.1]:{port}',
  'LOCALHOST:{port}',
  'localhost.:{port}',
  'localhost',
  '127.0.0.1:80',
  '127.0.0.1:{port}0',
];
const aliasesOfTheSocket = ['localhost:8700', 'unix', 'LOCALHOST'];

const served: readonly Row[] = [
  ...rowsOfTexts('A08', 'signed', (target) => ({ target }), [
    `http://evil.test${signPath}`,
    `https://evil.test:1${signPath}`,
  ]),
  ...rowsOfTexts('A09', 'signed', hostIs, ['localhost:{port}', '[::1]:{port}']),
];

describe('the Host header decides, and nothing else', () => {
  beforeHandlers(rows);
  beforeHandlers([...rowsOfTexts('A09', forbidden, hostIs, aliases), ...served], ({ tcp, keyless }) => [
    tcp,
    keyless,
  ]);
  beforeHandlers(rowsOfTexts('A09', forbidden, hostIs, aliasesOfTheSocket), ({ unix }) => [unix]);

  test('A09 a refusal says which name would do, on either listener', async ({ arena }) => {
    for (const [door, host] of [
      [arena.tcp, 'localhost'],
      [arena.unix, 'unix'],
    ] as const) {
      const refused = await arena.exchange(door, build(door, arena.body, hostIs(host)));
      expect(JSON.parse(only(refused).body).detail).toBe(
        'the Host header must be a loopback name with the port of the signer, or on a Unix socket without a port (http://localhost/); allow others with --allowed-host',
      );
    }
    // Both are what the others are told to send.
    await expectSigned(arena);
  });
});

describe('the Host header of the ops listener', () => {
  const get = (arena: Arena, target: string, flaw: Flaw) =>
    arena.exchange(
      arena.ops,
      build(arena.ops, '', { method: 'GET', target, caller: null, type: null, length: null, ...flaw }),
    );
  const paths = ['/livez', '/readyz', '/status', '/metrics', '/openapi.json', '/nothing'];

  test.for([
    ['evil.test:{port}', 403],
    ['evil.test', 403],
    ['localhost.evil.test:{port}', 403],
    ['127.1:{port}', 403],
    ['', 400],
    ['user@localhost', 400],
    ['a b', 400],
  ] as const)('A56 %s', async ([host, status], { arena }) => {
    for (const target of paths) {
      const done = await get(arena, target, hostIs(host));
      expectProblem(arena, done, [status, status === 403 ? 'forbidden_caller' : 'malformed_request']);
      expect(done.closed).toBe(true);
    }
  });

  test('A56 two of them, and none in HTTP/1.0', async ({ arena }) => {
    for (const flaw of [{ more: ['Host: evil.test'] }, { line: 'GET /status HTTP/1.0', host: null }])
      expectProblem(arena, await get(arena, '/status', flaw), malformed);
  });

  test('A56 the right ones are served, whatever the target says', async ({ arena }) => {
    for (const host of ['{host}', 'localhost', 'LOCALHOST:1', '10.0.0.1:8701', '[fd00::1]:8701'])
      expect(only(await get(arena, '/readyz', hostIs(host))).status).toBe(200);
    expect(only(await get(arena, 'http://evil.test/readyz', {})).status).toBe(200);
  });

  test('A56 a refusal names the flag', async ({ arena }) => {
    const refused = await get(arena, '/status', hostIs('evil.test'));
    expect(JSON.parse(only(refused).body).detail).toBe(
      'the Host header must be an IP address or localhost; allow another name with --ops-allowed-host',
    );
  });
});
