import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { isPlainly } from '../../src/api/plain-shape.ts';
import { formats } from '../../src/formats/index.ts';

const text = z.string();
const plain = z.strictObject({
  message: text,
  inner: z.optional(z.strictObject({ text })),
  encoding: z.optional(z.enum(['utf8', 'hex'])),
});

describe('a plain shape', () => {
  it.each([{ message: '' }, { message: 'm', encoding: 'hex' }, { message: 'm', inner: { text: 't' } }])(
    'accepts %j',
    (value) => {
      expect(isPlainly(plain, value)).toBe(true);
    },
  );

  it.each([
    ...[null, undefined, 'message', 5, [], ['message'], {}],
    ...[{ message: 5 }, { message: null }, { message: ['m'] }, { message: { length: 1 } }],
    ...[
      { message: 'm', encoding: 'base64' },
      { message: 'm', encoding: 'toString' },
    ],
    ...[
      { message: 'm', inner: {} },
      { message: 'm', inner: { text: 't', more: 1 } },
    ],
    ...[
      { message: 'm', Message: 'm' },
      { message: 'm', constructor: 'x' },
    ],
    JSON.parse('{"message":"m","__proto__":{}}'),
    JSON.parse('{"__proto__":{"message":"m"}}'),
    Object.create({ message: 'm' }),
  ])('does not accept %j', (value) => {
    expect(isPlainly(plain, value)).toBe(false);
    expect(plain.safeParse(value).success && Object.hasOwn(Object(value), 'message')).toBe(false);
  });
});

describe.each([
  ['text with a check', z.string().check(z.minLength(1)), 'a'],
  ['text of a format', z.strictObject({ a: z.email() }), { a: 'a@example.com' }],
  ['an object that takes unknown fields', z.strictObject({ a: z.object({}) }), { a: {} }],
  ['an object with a check', z.strictObject({ a: text }).check(z.refine(() => true)), { a: '' }],
  ['a number', z.strictObject({ a: z.number() }), { a: 1 }],
  [
    'an optional field with a check',
    z.strictObject({ a: z.optional(text).check(z.refine((a) => a !== 'wrong')) }),
    { a: 'right' },
  ],
  ['a default', z.strictObject({ a: z._default(text, 'x') }), { a: '' }],
  [
    'a transformed text',
    z.strictObject({
      a: z.pipe(
        text,
        z.transform((a) => a.length),
      ),
    }),
    { a: '' },
  ],
])('%s', (_name, schema, value) => {
  it('is left to zod', () => {
    expect(schema.safeParse(value).success).toBe(true);
    expect(isPlainly(schema, value)).toBe(false);
  });
});

const requests = [...formats.values()].flatMap(({ name, requests: { sign, verify } }) => [
  [`${name}, sign`, sign] as const,
  [`${name}, verify`, verify] as const,
]);

describe.each(requests)('requests of %s', (_name, schema) => {
  const { def } = (schema as unknown as z.core.$ZodTypes)._zod;
  const names = def.type === 'object' ? Object.keys(def.shape) : ['message'];
  const values = fc.oneof(
    fc.string(),
    fc.constantFrom('utf8', 'base64', 'hex', null, 1, true, undefined),
    fc.dictionary(fc.string(), fc.string()),
  );
  const name = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...names) },
    fc.constant('__proto__'),
    fc.string(),
  );

  it('are accepted only if zod accepts them, and leaves them as they are', () => {
    fc.assert(
      fc.property(
        fc.oneof({ weight: 9, arbitrary: fc.dictionary(name, values) }, fc.jsonValue()),
        (value) => {
          const result = isPlainly(schema, value) ? schema.safeParse(value) : { success: true, data: value };
          expect(result).toEqual({ success: true, data: value });
        },
      ),
      { numRuns: 500 },
    );
  });
});
