import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  formatAddress,
  formatSocket,
  isLoopback,
  parseAddress,
  parseSocket,
  reachable,
  servedHosts,
  type TcpAddress,
} from '../../src/cli/address.ts';

describe('an address', () => {
  it.each([
    ['127.0.0.1:8700', { host: '127.0.0.1', port: 8700 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['0.0.0.0:65535', { host: '0.0.0.0', port: 65_535 }],
    ['[::1]:8700', { host: '::1', port: 8700 }],
    ['[::ffff:10.0.0.1]:80', { host: '::ffff:10.0.0.1', port: 80 }],
    ['signer.default.svc:8700', { host: 'signer.default.svc', port: 8700 }],
  ])('%s is taken, and written back', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
  });

  it('may be none', () => {
    expect(parseAddress('none')).toBe('none');
  });

  it.each([
    '',
    ':8700',
    '8700',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:0x10',
    '127.0.0.1:100000',
    '::1:8700',
    '[::1]',
    '[::1]8700',
    '[localhost]:1',
    'http://127.0.0.1:8700',
    '127.0.0.1:8700/',
    ' 127.0.0.1:8700',
    '127.0.0.1:8700\n',
    '127.0.0.1:87 00',
    'a b:1',
    '*:8700',
    'NONE',
  ])('%j is not', (text) => {
    expect(() => parseAddress(text)).toThrow(InvalidArgumentError);
  });
});

describe('a socket', () => {
  const named = (caller: string, path: string) => ({ caller, path, isNamed: true });
  const unnamed = (path: string) => ({ caller: 'socket', path, isNamed: false });

  it.each([
    ['/run/signer.sock', unnamed('/run/signer.sock')],
    ['web=/run/web.sock', named('web', '/run/web.sock')],
    ['a=s', named('a', 's')],
    ['socket=s', named('socket', 's')],
    ['web-1=a=b', named('web-1', 'a=b')],
    ['web==b', named('web', '=b')],
    [`${'a'.repeat(63)}=s`, named('a'.repeat(63), 's')],
    // What cannot be a name belongs to the path.
    ['./web=s', unnamed('./web=s')],
    ['/run/a=b/s', unnamed('/run/a=b/s')],
    ['Web=s', unnamed('Web=s')],
    ['1a=s', unnamed('1a=s')],
    ['./=s', unnamed('./=s')],
    ['a b=s', unnamed('a b=s')],
    ['a_b=s', unnamed('a_b=s')],
    [`${'a'.repeat(64)}=s`, unnamed(`${'a'.repeat(64)}=s`)],
    [`web=${'x'.repeat(107)}`, named('web', 'x'.repeat(107))],
  ])('%s is taken, and written back', (text, socket) => {
    expect(parseSocket(text)).toEqual(socket);
    expect(formatSocket(socket)).toBe(text);
  });

  it.each([
    ['', 'expected the path of a file'],
    ['@web', 'expected the path of a file'],
    ['web=', 'expected the path of a file'],
    ['web=@s', 'expected the path of a file'],
    // The name of a variable that is not set. Without a name, TCP would stay on.
    ['=s', 'the name before "=" is missing; write NAME=PATH'],
    ['==s', 'the name before "=" is missing; write NAME=PATH'],
    ['tcp=s', 'the name "tcp" belongs to --listen; choose another name'],
    [`web=${'x'.repeat(108)}`, 'at most 107 bytes, and this one has 108'],
  ])('%j is refused', (text, message) => {
    expect(() => parseSocket(text)).toThrow(InvalidArgumentError);
    expect(() => parseSocket(text)).toThrow(message);
  });
});

describe('loopback', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['localhost', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['128.0.0.1', false],
    ['127.0.0.1.example.test', false],
    ['localhost.example.test', false],
    ['::ffff:127.0.0.1', false],
    // What a resolver would make of these is not certain, so they need --allow-remote.
    ['127.1', false],
    ['2130706433', false],
    ['LOCALHOST', false],
  ])('%s: %s', (host, expected) => {
    expect(isLoopback({ host, port: 1 })).toBe(expected);
  });
});

describe('the values of Host that are served', () => {
  it('are the loopback names with the port, and allowed names with and without it', () => {
    expect([...servedHosts(['signer'], { host: '127.0.0.1', port: 8700 })].sort()).toEqual(
      ['127.0.0.1:8700', '[::1]:8700', 'localhost:8700', 'signer', 'signer:8700'].sort(),
    );
  });

  it('are the bare loopback names as well on port 80, which a client leaves out', () => {
    expect([...servedHosts([], { host: 'localhost', port: 80 })]).toEqual(
      expect.arrayContaining(['127.0.0.1', 'localhost', '[::1]']),
    );
    expect(servedHosts([], { host: 'localhost', port: 8080 }).has('localhost')).toBe(false);
  });

  it.each([
    ['127.0.0.2', '127.0.0.2:8700', true],
    ['::1', '[::1]:8700', true],
    ['0.0.0.0', '0.0.0.0:8700', false],
    ['10.1.2.3', '10.1.2.3:8700', false],
  ])('listening on %s has %s among them: %s', (host, value, served) => {
    expect(servedHosts([], { host, port: 8700 }).has(value)).toBe(served);
  });
});

describe('an address that means every one', () => {
  it.each([
    ['0.0.0.0:1', '127.0.0.1:1'],
    ['[::]:1', '[::1]:1'],
    ['10.1.2.3:1', '10.1.2.3:1'],
    ['localhost:1', 'localhost:1'],
  ])('%s is reached on this machine at %s', (listen, asked) => {
    expect(reachable(parseAddress(listen) as TcpAddress)).toEqual(parseAddress(asked));
  });
});
