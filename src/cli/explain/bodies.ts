/** What could have been done to a body between the sender and the file, undone. The most usual comes first. */

import { isUtf8 } from 'node:buffer';
import { decode } from '../../bytes/encoding.ts';
import { decodeUtf8, hasByteOrderMark } from '../../bytes/text.ts';
import type { Difference } from './difference.ts';
import { type Body, jsonBodies } from './json-bodies.ts';
import type { ReceivedRequest } from './request.ts';

export type { Body } from './json-bodies.ts';

/** Text of a longer body is not decoded and encoded again. */
const maxTextBytes = 4 * 2 ** 20;

/** Does not yield the body as it is. */
export function* otherBodies({ body, headers }: ReceivedRequest): Generator<Body> {
  yield* ends(body);
  yield* jsonBodies(body);
  yield* cut(body, headers.get('content-length')?.[0]);
  if (body.length <= maxTextBytes) {
    yield* lineEnds(body);
    yield* characters(body);
    yield* forms(body);
    yield* wrapped(body);
  }
  yield one(
    Buffer.alloc(0),
    'body-empty',
    'the body is empty',
    'Find out why the sender signed no body, or what took it away before it was signed.',
  );
}

function one(bytes: Uint8Array, code: string, when: string, remedy: string): Body {
  return { bytes, differences: [{ code, when, remedy } satisfies Difference] };
}

const exact =
  'Keep the body byte for byte as it was received: no editor, no trimming, no conversion of line ends.';

function* ends(body: Uint8Array): Generator<Body> {
  const text = (end: string) => Buffer.concat([body, Buffer.from(end)]);
  const change = (bytes: Uint8Array, when: string) => one(bytes, 'body-newline', when, exact);
  if (body.at(-1) === 0x0a) {
    yield change(body.subarray(0, -1), 'the newline at the end of the body is left out');
    if (body.at(-2) === 0x0d)
      yield change(body.subarray(0, -2), 'the CRLF at the end of the body is left out');
  }
  yield change(text('\n'), 'a newline is added to the body');
  yield change(text('\r\n'), 'a CRLF is added to the body');
  let [start, end] = [0, body.length];
  while (isSpace(body[start])) start++;
  while (end > start && isSpace(body[end - 1])) end--;
  yield change(body.subarray(start, end), 'the white space around the body is left out');
  if (hasByteOrderMark(body)) {
    const mark = body[0] === 0xef ? 3 : 2;
    yield one(body.subarray(mark), 'body-bom', 'the byte order mark in front of the body is left out', exact);
  } else {
    const marked = Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), body]);
    yield one(marked, 'body-bom', 'a byte order mark stands in front of the body', exact);
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}

/** A file may go on behind the body, for instance with a newline. */
function* cut(body: Uint8Array, length: string | undefined): Generator<Body> {
  const wanted = /^\d{1,9}$/.test(length ?? '') ? Number(length) : body.length;
  if (wanted >= body.length) return;
  yield one(
    body.subarray(0, wanted),
    'body-length',
    'the body ends where Content-Length says',
    'What follows in the file does not belong to the body: save it without.',
  );
}

function* lineEnds(body: Uint8Array): Generator<Body> {
  const text = Buffer.from(body).toString('latin1');
  if (text.includes('\r')) {
    const bytes = Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1');
    yield one(bytes, 'body-line-ends', 'the lines of the body end with LF, and not with CRLF', exact);
  }
  if (text.includes('\n')) {
    const bytes = Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1');
    yield one(bytes, 'body-line-ends', 'the lines of the body end with CRLF, and not with LF', exact);
  }
}

function* characters(body: Uint8Array): Generator<Body> {
  const remedy = 'The body was decoded and encoded again: verify the bytes as they were received.';
  if (!body.some((byte) => byte > 0x7f)) return;
  const bytes = Buffer.from(body);
  const asUtf8 = Buffer.from(bytes.toString('latin1'));
  yield one(asUtf8, 'body-charset', 'the body is converted from ISO-8859-1 to UTF-8', remedy);
  const text = isUtf8(body) ? decodeUtf8(body) : undefined;
  if (text !== undefined && /^[\0-\xff]*$/.test(text)) {
    const latin1 = Buffer.from(text, 'latin1');
    yield one(latin1, 'body-charset', 'the body is converted from UTF-8 to ISO-8859-1', remedy);
  }
  // What a lenient decoder makes of bytes that are not UTF-8.
  if (text === undefined) {
    yield one(Buffer.from(bytes.toString()), 'body-charset', 'each byte that is not UTF-8 is U+FFFD', remedy);
  }
  if (text !== undefined) {
    yield one(
      Buffer.from(text.normalize('NFC')),
      'body-charset',
      'the text is in the normal form NFC',
      remedy,
    );
  }
}

const isForm = /^[^\s{[<"]*=[^\s{[<"]*$/;

function* forms(body: Uint8Array): Generator<Body> {
  const text = decodeUtf8(body);
  if (text === undefined) return;
  const remedy =
    'The form was decoded and encoded again: verify the bytes as they were received, before any form parser.';
  const change = (changed: string, when: string) => one(Buffer.from(changed), 'body-form', when, remedy);
  const encoded = (each: string) => new URLSearchParams(each).toString();
  const byPercent = (each: string) => each.replaceAll('+', '%20');
  if (!isForm.test(text.trim())) {
    if (!/^\s*[[{]/.test(text)) return;
    const form = `payload=${encoded(`=${text}`).slice(1)}`;
    yield change(form, 'the body is the field "payload" of a form');
    yield change(byPercent(form), 'the body is the field "payload" of a form, with spaces as %20');
    return;
  }
  yield change(encoded(text), 'the body is a form that is encoded anew');
  yield change(byPercent(encoded(text)), 'the body is a form that is encoded anew, with spaces as %20');
  const strict = byPercent(encoded(text)).replace(/%7E/g, '~');
  yield change(strict, 'the body is a form that is encoded anew as RFC 3986 has it');
  const lower = text.replace(/%[0-9A-F]{2}/g, (each) => each.toLowerCase());
  yield change(lower, 'the escapes of the form have lower-case digits');
  const upper = text.replace(/%[0-9a-f]{2}/g, (each) => each.toUpperCase());
  yield change(upper, 'the escapes of the form have upper-case digits');
  const pairs = [...new URLSearchParams(text)];
  yield change(pairs.map(([name, value]) => `${name}=${value}`).join('&'), 'the form is decoded');
  const payload = pairs.find(([name]) => name === 'payload')?.[1];
  if (payload !== undefined) yield change(payload, 'only the value of the field "payload" is signed');
}

/** A body within something else. */
function* wrapped(body: Uint8Array): Generator<Body> {
  const text = Buffer.from(body).toString('latin1').trim();
  const decoded = text.length > 0 ? decode(text, 'base64') : undefined;
  if (decoded !== undefined) {
    yield one(
      decoded,
      'body-base64',
      'the body is decoded from base64',
      'A gateway encodes bodies as base64 (isBase64Encoded): decode it before you verify it.',
    );
  }
  const inner = innerText(body);
  if (inner !== undefined) {
    yield one(
      Buffer.from(inner),
      'body-json-string',
      'the body is the text within a JSON string',
      'The body was written as JSON a second time: verify the bytes as they were received.',
    );
  }
  const joined = dechunk(body);
  if (joined !== undefined) {
    yield one(
      joined,
      'body-chunked',
      'the chunks of the transfer encoding are joined',
      'The body was saved as it went over the wire: save it as the server hands it to the application.',
    );
  }
}

function innerText(body: Uint8Array): string | undefined {
  if (body[0] !== 0x22) return undefined;
  try {
    const value: unknown = JSON.parse(decodeUtf8(body) ?? '');
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 9112 §7.1. @returns undefined if the body does not consist of chunks */
function dechunk(body: Uint8Array): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(0x0a, at);
    const line = Buffer.from(body.subarray(at, Math.min(end < 0 ? at : end, at + 32))).toString('latin1');
    const [, digits] = /^([0-9a-fA-F]{1,7})(?:;.*)?\r$/.exec(line) ?? [];
    if (digits === undefined) return undefined;
    const length = Number.parseInt(digits, 16);
    if (length === 0) return Buffer.concat(parts);
    parts.push(body.subarray(end + 1, end + 1 + length));
    at = end + 1 + length + 2;
  }
  return undefined;
}
