import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseMode, parseSwitch } from '../../src/cli/flags.ts';

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
