/** Requests for another host, or for none. */

import { describe, expect } from 'vitest';
import { expectSigned, only, test } from './arena.ts';
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
import { signPath } from './wire.ts';

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
