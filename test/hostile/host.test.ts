/** Requests for another host, or for none. */

import { describe, expect } from 'vitest';
import { expectSigned, only, test } from './arena.ts';
import { beforeHandlers, build, forbidden, malformed, notFound, type Row } from './rows.ts';
import { signPath } from './wire.ts';

const longer = { target: `/AAA${signPath}` };
const oldLine = `POST ${signPath} HTTP/1.0`;
const longerOldLine = `POST /AAA${signPath} HTTP/1.0`;

const rows: readonly Row[] = [
  { row: 'A01', what: 'no Host', flaw: { host: null }, outcome: 'by the parser' },
  { row: 'A02', what: 'an empty Host', flaw: { host: 'Host:' }, outcome: malformed },
  { row: 'A02', what: 'a Host of spaces', flaw: { host: 'Host:   ' }, outcome: malformed },
  { row: 'A03', what: 'a foreign Host', flaw: { host: 'Host: evil.test' }, outcome: forbidden },
  {
    row: 'A03',
    what: 'a foreign Host with our port',
    flaw: { host: 'Host: evil.test:{port}' },
    outcome: forbidden,
  },
  { row: 'A04', what: 'our Host twice', flaw: { more: ['Host: {host}'] }, outcome: malformed },
  {
    row: 'A04',
    what: 'our Host, then a foreign one',
    flaw: { more: ['Host: evil.test'] },
    outcome: malformed,
  },
  {
    row: 'A04',
    what: 'a foreign Host, then ours',
    flaw: { host: 'Host: evil.test', more: ['Host: {host}'] },
    outcome: malformed,
  },
  {
    row: 'A05',
    what: 'our address as a user name',
    flaw: { host: 'Host: {host}@evil.test' },
    outcome: malformed,
  },
  { row: 'A05', what: 'a user name at our address', flaw: { host: 'Host: evil@{host}' }, outcome: malformed },
  {
    row: 'A06',
    what: 'a longer path, an empty Host',
    flaw: { ...longer, host: 'Host:' },
    outcome: malformed,
  },
  {
    row: 'A06',
    what: 'a longer path, a space in Host',
    flaw: { ...longer, host: 'Host: a b' },
    outcome: malformed,
  },
  {
    row: 'A06',
    what: 'a longer path, an @ in Host',
    flaw: { ...longer, host: 'Host: x@y' },
    outcome: malformed,
  },
  { row: 'A06', what: 'a longer path, our Host', flaw: longer, outcome: notFound },
  { row: 'A07', what: 'HTTP/1.0 without Host', flaw: { line: oldLine, host: null }, outcome: malformed },
  {
    row: 'A07',
    what: 'a longer path, HTTP/1.0',
    flaw: { line: longerOldLine, host: null },
    outcome: malformed,
  },
  {
    row: 'A08',
    what: 'our address in an absolute target alone',
    flaw: { target: `http://{host}${signPath}`, host: 'Host: evil.test' },
    outcome: forbidden,
  },
  {
    row: 'A08',
    what: 'a file URL as target',
    flaw: { target: `file://${signPath}` },
    outcome: 'by the parser',
  },
  {
    row: 'A08',
    what: 'a target that is no path',
    flaw: { target: 'evil.test:80' },
    outcome: 'by the parser',
  },
];

/** Other ways to write the loopback address, or to name it without our port. */
const aliases = [
  '127.1:{port}',
  '2130706433:{port}',
  '0x7f000001:{port}',
  '0.0.0.0:{port}',
  '[::]:{port}',
  '[::ffff:127.0.0.1]:{port}',
  '[0:0:0:0:0:0:0:1]:{port}',
  'LOCALHOST:{port}',
  'localhost.:{port}',
  '127.0.0.1.:{port}',
  'localhost',
  '127.0.0.1',
  '[::1]',
  '127.0.0.1:1',
  '127.0.0.1:80',
  '127.0.0.1:0{port}',
  '127.0.0.1:{port}0',
].map(
  (host): Row => ({ row: 'A09', what: `Host: ${host}`, flaw: { host: `Host: ${host}` }, outcome: forbidden }),
);

const aliasesOfTheSocket = [
  'localhost:80',
  'localhost:8700',
  'unix',
  '127.1',
  '[::]',
  'LOCALHOST',
  'localhost.',
  'socket',
].map(
  (host): Row => ({
    row: 'A09',
    what: `Host: ${host}, on the Unix socket`,
    flaw: { host: `Host: ${host}` },
    outcome: forbidden,
  }),
);

const served: readonly Row[] = [
  {
    row: 'A08',
    what: 'a foreign host in the target',
    flaw: { target: `http://evil.test${signPath}` },
    outcome: 'signed',
  },
  {
    row: 'A08',
    what: 'another scheme and port',
    flaw: { target: `https://evil.test:1${signPath}` },
    outcome: 'signed',
  },
  { row: 'A09', what: 'Host: localhost:{port}', flaw: { host: 'Host: localhost:{port}' }, outcome: 'signed' },
  { row: 'A09', what: 'Host: [::1]:{port}', flaw: { host: 'Host: [::1]:{port}' }, outcome: 'signed' },
];

describe('the Host header decides, and nothing else', () => {
  beforeHandlers(rows);
  beforeHandlers([...aliases, ...served], ({ tcp, keyless }) => [tcp, keyless]);
  beforeHandlers(aliasesOfTheSocket, ({ unix }) => [unix]);

  test('A09 a refusal says which name would do, on either listener', async ({ arena }) => {
    for (const [door, host] of [
      [arena.tcp, 'localhost'],
      [arena.unix, 'localhost:8700'],
      [arena.unix, 'unix'],
    ] as const) {
      const refused = await arena.exchange(door, build(door, arena.body, { host: `Host: ${host}` }));
      expect(JSON.parse(only(refused).body).detail).toBe(
        'the Host header must be a loopback name with the port of the signer, or on a Unix socket without a port (http://localhost/); allow others with --allowed-host',
      );
    }
    // Both are what the others are told to send.
    await expectSigned(arena);
  });
});
