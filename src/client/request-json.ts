/**
 * Turns a request into what JSON can hold. `JSON.stringify` alone would change values without a word: `NaN` into `null`,
 * and `Headers` into `{}`.
 */

import type { HttpHeaders } from '../api/messages.ts';

/** Headers as a list of names and values, such as `Headers` or a `Map`. A name may be repeated. */
export type HeaderPairs = Iterable<readonly [name: string, value: string | readonly string[] | undefined]>;

/** More levels than the signer accepts. */
const maxDepth = 100;

const headersExpected =
  'must be an object of names and values, Headers, or another iterable of pairs of a name and a value; each value must be a string or a list of strings';

/**
 * @param field where the request is, in front of the names of its fields, such as `items.3.`
 * @throws {TypeError} if JSON cannot hold a value; the message names its place
 */
export function toJson(request: object, field = ''): object {
  if (!isPlain(request))
    throw unfit(field.slice(0, -1) || 'request', 'must be an object with the fields of a request');
  // Most fields are text. For those, this neither builds a place nor calls a function.
  return Object.fromEntries(
    Object.entries(request).map(([name, value]) => {
      if (name === 'headers' && value !== undefined) return [name, headersByName(value, field + name)];
      return [name, typeof value === 'string' ? value : copy(value, field + name, [])];
    }),
  );
}

/** @throws {TypeError} if it is not a list of requests, or JSON cannot hold a value */
export function batchToJson(items: readonly object[]): object {
  if (!Array.isArray(items)) throw unfit('items', 'must be an array');
  return { items: Array.from(items, (item, index) => toJson(item, `items.${index}.`)) };
}

/** @param around the objects and lists that the value is in */
function copy(value: unknown, place: string, around: readonly object[]): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return value;
    case 'number':
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      throw unfit(place, 'must be a finite number, and not -0');
    case 'bigint':
      throw unfit(place, 'is a bigint; give a number, or text');
    case 'object':
      break;
    default:
      throw unfit(place, `is a ${typeof value}, which JSON does not have`);
  }
  if (value === null) return value;
  if (around.includes(value)) throw unfit(place, 'contains itself');
  if (around.length === maxDepth) throw unfit(place, 'is nested too deeply');
  const inside = [...around, value];
  if (Array.isArray(value)) {
    return Array.from(value, (element: unknown, index) => {
      if (element === undefined) throw unfit(`${place}.${index}`, 'is undefined; leave it out, or give null');
      return copy(element, `${place}.${index}`, inside);
    });
  }
  if (!isPlain(value)) throw unfit(place, whatItIs(value));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, copy(member, `${place}.${name}`, inside)]),
  );
}

/** @throws {TypeError} if these are no headers */
export function headersByName(headers: unknown, place: string): HttpHeaders {
  if (typeof headers !== 'object' || headers === null) throw unfit(place, headersExpected);
  if ('then' in headers && typeof headers.then === 'function') throw unfit(place, 'is a promise; await it');
  if (!(Symbol.iterator in headers)) {
    if (!isPlain(headers) || !Object.values(headers).every(isValue)) throw unfit(place, headersExpected);
    return headers as HttpHeaders;
  }
  const byName = new Map<string, string[]>();
  for (const pair of headers as Iterable<unknown>) {
    const [name, value] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof name !== 'string' || !isValue(value)) throw unfit(place, headersExpected);
    const lower = name.toLowerCase();
    byName.set(lower, (byName.get(lower) ?? []).concat(value ?? []));
  }
  return Object.fromEntries(
    [...byName].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

function isValue(value: unknown): value is string | string[] | undefined {
  const isText = (each: unknown) => typeof each === 'string';
  return value === undefined || isText(value) || (Array.isArray(value) && value.every(isText));
}

/** Whether it is an object of no class, made here or in another realm. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function whatItIs(value: object): string {
  if ('then' in value) return 'is a promise; await it';
  if (value instanceof Date)
    return 'is a Date; give its text, or for a time in a token the seconds since 1970';
  if (ArrayBuffer.isView(value)) return 'is bytes; give text, such as base64';
  return 'is an object of a class; give text, a number, a list or a plain object';
}

function unfit(place: string, problem: string): TypeError {
  return new TypeError(`field "${place}": ${problem}`);
}
