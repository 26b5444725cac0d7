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
const hostIs = (host: string) => ({ host: `Host: ${host}` });

const rows: readonly Row[] = [
  ...rowsOf('A01', parser, { 'no Host': { host: null } }),
  ...rowsOf('A04', malformed, {
    'our Host twice': { more: ['Host: {host}'] },
    'our Host, then a foreign one': { more: ['Host: evil.test'] },
    'a foreign Host, then ours': { host: 'Host: evil.test', more: ['Host: {host}'] },
    'an empty Host, then ours': { host: 'Host:', more: ['Host: {host}'] },
    'an empty Host twice': { host: 'Host:', more: ['Host:'] },
  }),
  ...rowsOfTexts('A05', malformed, hostIs, ['{host}@evil.test', 'evil@{host}']),
  ...rowsOfTexts('A06', malformed, (host) => ({ ...longer, ...hostIs(host) }), ['a b', 'x@y']),
  ...rowsOf('A06', notFound, { 'a longer path, our Host': longer }),
  ...rowsOfTexts('A08', parser, (target) => ({ target }), [`file://${signPath}`, 'evil.test:80']),
  ...rowsOfTexts('A59', malformed, hostIs, [
    'a b',
    'a/b',
    '/run/signer.sock',
    'a?b',
    'a#b',
    'a\\b',
    'a:b',
    'a%zz',
    '[::1',
    'a,b',
    '{host},',
  ]),
];

const oldLine = `POST ${signPath} HTTP/1.0`;
const longerOldLine = `POST /AAA${signPath} HTTP/1.0`;
const foreign = ['evil.test', 'evil.test:{port}'];

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

/** Over TCP, where a browser or DNS rebinding can name a host. */
const rowsOfTcp: readonly Row[] = [
  ...rowsOfTexts('A02', malformed, hostIs, ['', '  ']),
  ...rowsOfTexts('A03', forbidden, hostIs, foreign),
  ...rowsOfTexts('A06', malformed, (host) => ({ ...longer, ...hostIs(host) }), ['']),
  ...rowsOf('A07', malformed, {
    'HTTP/1.0 without Host': { line: oldLine, host: null },
    'a longer path, HTTP/1.0': { line: longerOldLine, host: null },
  }),
  ...rowsOf('A08', forbidden, {
    'our address in an absolute target alone': { target: `http://{host}${signPath}`, ...hostIs('evil.test') },
  }),
  ...rowsOfTexts('A08', 'signed', (target) => ({ target }), [
    `http://evil.test${signPath}`,
    `https://evil.test:1${signPath}`,
  ]),
  ...rowsOfTexts('A09', forbidden, hostIs, aliases),
  ...rowsOfTexts('A09', 'signed', hostIs, ['localhost:{port}', '[::1]:{port}']),
];

/** On a Unix socket, which neither of them reaches. */
const rowsOfSocket: readonly Row[] = [
  ...rowsOfTexts('A02', 'signed', hostIs, ['', '  ']),
  ...rowsOfTexts('A03', 'signed', hostIs, ['evil.test', 'evil.test:8700']),
  // Without a Host that can be parsed, the runtime gives the path alone, in which a router would find another one.
  ...rowsOfTexts('A06', notFound, (host) => ({ ...longer, ...hostIs(host) }), [
    '',
    'signer',
    'a:99999',
    'a:123456',
    '%2Frun%2Fsigner.sock',
  ]),
  ...rowsOf('A06', notFound, {
    'a longer path, HTTP/1.0': { line: longerOldLine, host: null },
    'dots and an empty Host': { target: '/v1/keys/demo/x/../sign', host: 'Host:' },
  }),
  ...rowsOf('A07', 'signed', { 'HTTP/1.0 without Host': { line: oldLine, host: null } }),
  ...rowsOfTexts('A08', 'signed', (target) => ({ target, host: 'Host:' }), [
    `http://evil.test${signPath}`,
    `https://evil.test:1${signPath}`,
  ]),
  ...rowsOfTexts('A59', 'signed', hostIs, [
    'signer',
    'unix',
    'localhost',
    'localhost:80',
    'localhost:8700',
    'LOCALHOST',
    'signer:80',
    '127.0.0.1:',
    '127.1',
    '[::1]',
    '[::1]:80',
    ':80',
    'a_b',
    'a:99999',
    'a:123456',
    "a!$&'()*+;=~",
    '%2Frun%2Fsigner.sock',
  ]),
];

describe('the Host header decides, and nothing else', () => {
  beforeHandlers(rows);
  beforeHandlers(rowsOfTcp, ({ tcp, keyless }) => [tcp, keyless]);
  beforeHandlers(rowsOfSocket, ({ unix }) => [unix]);

  test('A09 a refusal says which name would do', async ({ arena }) => {
    const refused = await arena.exchange(arena.tcp, build(arena.tcp, arena.body, hostIs('localhost')));
    expect(JSON.parse(only(refused).body).detail).toBe(
      'the Host header must be a loopback name with the port of the signer; allow others with --allowed-host',
    );
    // This is what the others are told to send.
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
