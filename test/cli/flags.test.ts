import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { collectHeaders, collectSockets, parseMode, parseSwitch } from '../../src/cli/flags.ts';
import { temporaryDirectory } from '../support/signer.ts';

describe('a header', () => {
  it('that is the name of a file is refused with the sign that a file needs', () => {
    expect(() => collectHeaders('headers.txt', {})).toThrow(
      'expected a line such as "Name: value", or @FILE',
    );
  });

  it.each([
    ['POST /hooks HTTP/1.1\r\nA: 1\r\n', '1', '; leave the request line out'],
    ['A: 1\n\n<html>\n', '3', '; give only the headers'],
  ])('in a file is refused with its line: %j', (text, line, advice) => {
    using directory = temporaryDirectory();
    const file = join(directory.path, 'full.txt');
    writeFileSync(file, text);
    expect(() => collectHeaders(`@${file}`, {})).toThrow(
      `line ${line} of ${file} is not "Name: value"${advice}`,
    );
  });
});

describe('sockets', () => {
  const collected = (...values: readonly string[]) =>
    values.reduce<ReturnType<typeof collectSockets>>((all, value) => collectSockets(value, all), []);

  it('are collected from several flags, or from one variable with commas', () => {
    const both = [
      { caller: 'web', path: '/run/web/s.sock', isNamed: true },
      { caller: 'socket', path: 's.sock', isNamed: false },
    ];
    expect(collected('web=/run/web/s.sock', 's.sock')).toEqual(both);
    expect(collected('web=/run/web/s.sock,s.sock')).toEqual(both);
  });

  it.each([
    [['a', 'b'], 'of several sockets, each needs a name of its own: NAME=PATH'],
    [['a,b'], 'of several sockets, each needs a name of its own: NAME=PATH'],
    [['web=a', 'web=b'], 'two sockets have the name "web"; give each a name of its own'],
    [['web=a,web=a'], 'two sockets have the name "web"; give each a name of its own'],
    [['a', 'socket=b'], 'two sockets have the name "socket"; give each a name of its own'],
    [['web=a', 'worker=a'], 'two sockets have one path; give each a path of its own'],
    [['web=/run/a/../s', 'worker=/run//s'], 'two sockets have one path; give each a path of its own'],
    [['web=a,'], 'expected the path of a file'],
    [[',web=a'], 'expected the path of a file'],
  ])('%j are refused', (values, message) => {
    expect(() => collected(...values)).toThrow(InvalidArgumentError);
    expect(() => collected(...values)).toThrow(message);
  });
});

describe('a file mode', () => {
  it.each([
    ['0660', 0o660],
    ['660', 0o660],
    ['0600', 0o600],
    ['0777', 0o777],
    ['000', 0],
  ])('%s is octal', (text, mode) => {
    expect(parseMode(text)).toBe(mode);
  });

  it.each(['', '0', '66', '0o660', '0x1b0', '0668', '1660', '4755', '-660', '660 ', 'rw-rw----'])(
    '%j is none',
    (text) => {
      expect(() => parseMode(text)).toThrow(InvalidArgumentError);
    },
  );
});

describe('a switch with a value', () => {
  it.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('%s is understood', (text, value) => {
    expect(parseSwitch(text)).toBe(value);
  });

  it.each(['yes', 'no', 'TRUE', ' true', '2', ''])('"%s" is refused', (text) => {
    expect(() => parseSwitch(text)).toThrow('expected true or false');
  });
});
