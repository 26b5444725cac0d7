/** What JSON.parse loses without a word, and that nothing else is changed. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExactJson, parseUnambiguousJson } from '../../src/bytes/exact-json.ts';

/** A number text as a whole number of units of 10^-400, by arithmetic that shares nothing with ours. */
const units = (text: string) => {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  return BigInt(whole + fraction) * 10n ** BigInt(400 + Number(exponent) - fraction.length);
};

describe.each([
  ['parseExactJson', parseExactJson],
  ['parseUnambiguousJson', parseUnambiguousJson],
])('%s', (_, parse) => {
  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const written = JSON.stringify(JSON.parse(text));
        expect(parse(written)).toEqual(JSON.parse(written));
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['half a text', '{"a":'],
    ['two texts', '{} {}'],
    ['a comment', '{/**/}'],
    ['a number with leading zeros, however long', '012345678901234567890'],
    ['a number without a fraction behind its point', '[1234567890123456789.]'],
    ['NaN', '[NaN]'],
    ['a byte order mark', '\ufeff{}'],
  ])('refuses %s', (_, text) => {
    expect(() => parse(text)).toThrow(SyntaxError);
  });
});

describe('parseExactJson', () => {
  it.each([
    '9007199254740993',
    '-9007199254740993',
    '1e400',
    '-1e400',
    '1e-400',
    '-0',
    '-0.0',
    '-0e5',
    '0.1000000000000000055511151231257827',
    '1.00000000000000000000001',
    '123456789012345678901234567890',
    `1${'0'.repeat(70)}.5`,
  ])('makes Infinity of %s', (number) => {
    expect(parseExactJson(number)).toBe(Number.POSITIVE_INFINITY);
    expect(parseExactJson(`{"a":[1,${number},"${number}"]}`)).toEqual({
      a: [1, Number.POSITIVE_INFINITY, number],
    });
  });

  it.each([
    '0',
    '0.0',
    '0e999999999999999999',
    '1.0',
    '1.50',
    '1E2',
    '100e-2',
    '0.1',
    '9007199254740992',
    '9007199254740994',
    '1e21',
    '1.7976931348623157e308',
    '5e-324',
    '123456789012345680000',
    '-1.5',
  ])('keeps %s', (number) => {
    expect(parseExactJson(number)).toBe(Number(number));
  });

  it('leaves strings and member names alone, whatever they look like', () => {
    const value = { '9007199254740993': '-0', '\\"1e400': 'a\\', b: '"9007199254740993"', '': [] };
    const text = JSON.stringify(value).replace('[]', '[9007199254740993]');
    expect(parseExactJson(text)).toEqual({ ...value, '': [Number.POSITIVE_INFINITY] });
  });

  it('keeps a number if and only if it is written again with the same value', () => {
    const digits = fc.stringMatching(/^(?:0|[1-9]\d{0,24})(?:\.\d{1,25})?(?:e[+-]?\d{1,2})?$/);
    fc.assert(
      fc.property(digits, fc.boolean(), (digits, negative) => {
        const text = `${negative ? '-' : ''}${digits}`;
        const written = JSON.stringify(Number(text));
        const same = units(text) === units(written) && text.startsWith('-') === written.startsWith('-');
        expect(parseExactJson(text)).toBe(same ? Number(text) : Number.POSITIVE_INFINITY);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseUnambiguousJson', () => {
  it.each([
    ['a member twice', '{"alg":"HS256","alg":"none"}'],
    ['a member twice, in two spellings', '{"alg":"HS256","\\u0061lg":"none"}'],
    ['a member twice, deep inside', '{"a":[{"b":{"c":1,"c":1}}]}'],
    ['objects in members that stand twice', '{"a":{"b":1},"a":{"c":1}}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
  ])('answers undefined for %s', (_, text) => {
    expect(parseUnambiguousJson(text)).toBeUndefined();
  });

  it.each(['{"a:b":":","c":{"a:b":"\\":\\""}}', '{"a":{"a":{"a":[]}}}', '[{"a":1},{"a":1}]', '{}', '":"'])(
    'reads %s',
    (text) => {
      expect(parseUnambiguousJson(text)).toEqual(JSON.parse(text));
    },
  );

  it('makes Infinity of numbers that JSON changes', () => {
    expect(parseUnambiguousJson('{"exp":1e400}')).toEqual({ exp: Number.POSITIVE_INFINITY });
  });
});

it('compares a limited number of texts with what JavaScript would write', () => {
  const numbers = (count: number) =>
    parseExactJson(`[${Array.from({ length: count }, () => '1e0').join()}]`) as number[];
  expect(numbers(8192).at(-1)).toBe(1);
  expect(numbers(8193).slice(-2)).toEqual([1, Number.POSITIVE_INFINITY]);
});

it.each([
  ['numbers', `[${'0.1,'.repeat(250_000)}0]`],
  ['numbers that change', `[${'1e400,'.repeat(150_000)}0]`],
  ['digits', `[${'9'.repeat(1_000_000)}]`],
  ['zeros', `[0.${'0'.repeat(1_000_000)}1]`],
  ['escapes', `"${'\\"'.repeat(500_000)}1.5"`],
  ['strings', `["1.5",${'"",'.repeat(300_000)}0]`],
])('reads a megabyte of %s in time that grows with its length', (_, text) => {
  const seconds = (source: string) => {
    const started = performance.now();
    parseUnambiguousJson(source);
    return (performance.now() - started) / 1000;
  };
  // A regular expression that tries again from every character would take minutes.
  expect(Math.min(seconds(text), seconds(text))).toBeLessThan(5);
});
