import { describe, expect, it } from 'vitest';
import { maxBatchItems, maxReferenceLength, parseBatch, takeReference } from '../../src/http/batch.ts';
import { refusalOf } from '../support/format.ts';

describe('a batch', () => {
  it('holds its items as they are, in order', () => {
    const items = [{ message: 'a' }, null, 'text', [], 5, { items: [] }];
    expect(parseBatch({ items })).toEqual(items);
  });

  it(`holds 1 to ${maxBatchItems} items`, () => {
    expect(maxBatchItems).toBe(1000);
    expect(parseBatch({ items: [{}] })).toHaveLength(1);
    expect(parseBatch({ items: Array(maxBatchItems).fill({}) })).toHaveLength(maxBatchItems);
    expect(refusalOf(() => parseBatch({ items: [] }))).toBe(
      'malformed_request: field "items": must have at least 1 element',
    );
    expect(refusalOf(() => parseBatch({ items: Array(maxBatchItems + 1).fill({}) }))).toBe(
      'malformed_request: field "items": must have at most 1000 elements',
    );
  });

  it.each([
    null,
    [],
    'items',
    5,
    {},
    { items: {} },
    { items: null },
    { items: 'x' },
    { items: [{}], more: 1 },
    [{ items: [{}] }],
  ])('is not %j', (body) => {
    expect(refusalOf(() => parseBatch(body))).toMatch(/^malformed_request: /);
  });
});

describe('a reference', () => {
  it.each(['', 'order-1', 'é\n"', 'x'.repeat(maxReferenceLength)])(
    'comes back, and is no part of the request: %j',
    (reference) => {
      expect(takeReference({ message: 'm', reference })).toEqual({
        request: { message: 'm' },
        reference,
      });
    },
  );

  it.each([{ message: 'm' }, null, 'reference', 5, ['reference'], undefined])('is none in %j', (item) => {
    expect(takeReference(item)).toEqual({ request: item });
  });

  it.each([5, null, {}, [], true, 'x'.repeat(maxReferenceLength + 1)])('may not be %j', (reference) => {
    expect(refusalOf(() => takeReference({ message: 'm', reference }))).toBe(
      `malformed_request: field "reference": must be a string of at most ${maxReferenceLength} characters`,
    );
  });

  it('leaves the rest as it is, even what JavaScript gives a meaning to', () => {
    const { request } = takeReference(JSON.parse('{"__proto__": {"message": "m"}, "reference": "r"}'));
    expect(Object.getOwnPropertyNames(request)).toEqual(['__proto__']);
    expect(request).not.toHaveProperty('message');
  });
});
