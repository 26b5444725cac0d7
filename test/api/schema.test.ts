import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { SignerError } from '../../src/api/errors.ts';
import { parse, shapeProblems } from '../../src/api/schema.ts';

const schema = z.strictObject({
  text: z.string().check(z.minLength(1), z.maxLength(3)),
  whole: z.optional(z.int().check(z.gte(1), z.lte(10))),
  number: z.optional(z.number().check(z.gt(0), z.lt(1))),
  flag: z.optional(z.boolean()),
  kind: z.optional(z.enum(['a', 'b'])),
  one: z.optional(z.literal('only')),
  list: z.optional(z.array(z.string()).check(z.minLength(1), z.maxLength(2))),
  inner: z.optional(
    z.strictObject({ deep: z.optional(z.array(z.strictObject({ end: z.optional(z.string()) }))) }),
  ),
  own: z.optional(z.string().check(z.regex(/^x$/, 'must be an x'))),
  bare: z.optional(z.string().check(z.regex(/^x$/))),
});

const problems = (value: unknown) => {
  const result = schema.safeParse(value);
  return result.success
    ? []
    : shapeProblems(schema, result.error).map(({ path, message }) => `${path.join('.')}: ${message}`);
};
const detail = (value: unknown) => {
  try {
    return parse(schema, value);
  } catch (error) {
    if (error instanceof SignerError) return `${error.code}: ${error.message}`;
    throw error;
  }
};

it('gives back what fits', () => {
  const value = { text: 'abc', whole: 3, list: ['x'], inner: { deep: [{ end: 'e' }] } };
  expect(parse(schema, value)).toEqual(value);
});

describe('says what would be right', () => {
  it.each<[unknown, string]>([
    [{}, 'text: must be a string'],
    [{ text: 5 }, 'text: must be a string'],
    [{ text: null }, 'text: must be a string'],
    [{ text: '' }, 'text: must have at least 1 character'],
    [{ text: 'abcd' }, 'text: must have at most 3 characters'],
    [{ text: 'a', whole: 1.5 }, 'whole: must be a whole number'],
    [{ text: 'a', whole: '1' }, 'whole: must be a number'],
    [{ text: 'a', whole: 0 }, 'whole: must be at least 1'],
    [{ text: 'a', whole: 11 }, 'whole: must be at most 10'],
    [{ text: 'a', number: 0 }, 'number: must be more than 0'],
    [{ text: 'a', number: 1 }, 'number: must be less than 1'],
    [{ text: 'a', number: Number.NaN }, 'number: must be a number'],
    [{ text: 'a', flag: 'true' }, 'flag: must be a boolean'],
    [{ text: 'a', kind: 'c' }, 'kind: must be one of a, b'],
    [{ text: 'a', one: 'other' }, 'one: must be only'],
    [{ text: 'a', list: 'x' }, 'list: must be a list'],
    [{ text: 'a', list: [] }, 'list: must have at least 1 element'],
    [{ text: 'a', list: ['x', 'y', 'z'] }, 'list: must have at most 2 elements'],
    [{ text: 'a', list: ['x', 1] }, 'list.1: must be a string'],
    [{ text: 'a', inner: [] }, 'inner: must be an object'],
    [{ text: 'a', own: 'y' }, 'own: must be an x'],
    [{ text: 'a', bare: 'y' }, 'bare: is not valid'],
    ['text', ': must be an object'],
    [null, ': must be an object'],
    [undefined, ': must be an object'],
    [[], ': must be an object'],
  ])('%j', (value, problem) => {
    expect(problems(value)).toEqual([problem]);
  });
});

describe('an unknown field', () => {
  it.each<[object, string]>([
    [{ text: 'a', Text: 1 }, ''],
    [{ text: 'a', inner: { end: 1 } }, 'inner'],
    [{ text: 'a', inner: { deep: [{}, { ends: 1 }] } }, 'inner.deep.1'],
    [JSON.parse('{"text": "a", "__proto__": 1}'), ''],
    [{ text: 'a', constructor: 1 }, ''],
  ])('is an error at its place: %j', (value, place) => {
    const [only, ...more] = problems(value);
    expect(more).toEqual([]);
    expect(only).toMatch(
      new RegExp(`^${place.replaceAll('.', '\\.')}: unknown field; the fields here are: `),
    );
  });

  it('is told with the fields that there are at that place', () => {
    expect(problems({ text: 'a', inner: { deep: [{ ends: 1 }] } })).toEqual([
      'inner.deep.0: unknown field; the fields here are: end',
    ]);
  });
});

describe('a request', () => {
  it('is refused with the first field that is wrong', () => {
    expect(detail({ text: 5, whole: 0 })).toBe('malformed_request: field "text": must be a string');
    expect(detail({ text: 'a', list: ['x', 1] })).toBe('malformed_request: field "list.1": must be a string');
    expect(detail([])).toBe('malformed_request: the body: must be an object');
    expect(detail({})).toBe('malformed_request: field "text" is missing; it must be a string');
    expect(detail({ text: 'a', more: 1 })).toMatch(
      /^malformed_request: the body has an unknown field; its fields are: text, /,
    );
    expect(detail({ text: 'a', inner: { deep: [{ ends: 1 }] } })).toBe(
      'malformed_request: field "inner.deep.0" has an unknown field; its fields are: end',
    );
  });

  it('is refused without a word of what it holds', () => {
    const marker = 'q7Zk9VxW2m';
    const hostile = [
      { text: marker },
      { text: [marker] },
      { [marker]: marker },
      { text: 'a', kind: marker },
      { text: 'a', own: marker },
      { text: 'a', whole: marker },
      { text: 'a', inner: { [marker]: 1 } },
      { text: 'a', list: [marker, { [marker]: 1 }] },
      marker,
    ];
    const details = hostile.map((value) => detail(value));
    expect(details.every((each) => String(each).startsWith('malformed_request: '))).toBe(true);
    expect(details.join('\n')).not.toContain(marker);
  });
});
