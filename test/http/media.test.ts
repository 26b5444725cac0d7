/** Which bodies are JSON and which are messages, by the header Content-Type. */

import { describe, expect, it } from 'vitest';
import { mediaTypeOf } from '../../src/http/media.ts';

const read = (type?: string) =>
  mediaTypeOf(
    new Request('http://localhost/', type === undefined ? {} : { headers: { 'content-type': type } }),
  );

it.each([
  'application/json',
  'Application/JSON',
  'application/json;',
  'application/json ;',
  'application/json; ',
  'application/json;;',
  'application/json; ;\t;',
  'application/json; charset=utf-8',
  'application/json;charset=UTF-8',
  'application/json; charset="utf-8"',
  'application/json ; charset=utf-8',
  'application/json\t;\tcharset=utf-8',
  'application/json; charset=utf-8;',
  'application/json; CHARSET="UTF-8" ; ',
  'application/json; charset="ut\\f-8"',
  'application/json; charset=utf-8; charset=utf-8',
  'application/json; version=1',
  'application/json; x=y; charset=utf-8; z="a; charset=utf-16"',
  'application/json; x="\\""; charset=utf-8',
  "application/json; !#$%&'*+-.^_`|~=1",
])('%j is JSON', (type) => {
  expect(read(type)).toBe('json');
});

it.each([
  'application/octet-stream',
  'APPLICATION/octet-stream',
  'application/octet-stream;',
  'application/octet-stream; charset=utf-8',
  'application/octet-stream; charset=binary',
  'application/octet-stream; type=webhook; padding=0',
])('%j is the message itself', (type) => {
  expect(read(type)).toBe('octet-stream');
});

describe('anything else is refused:', () => {
  const refuses = (type: string | undefined, message: string) =>
    expect(() => read(type)).toThrow(
      expect.objectContaining({ code: 'unsupported_media_type', message: expect.stringContaining(message) }),
    );

  it.each([
    undefined,
    '',
    ';',
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json5',
    'application/json+x',
    'x-application/json',
    'application/problem+json',
    'application/octet-stream2',
    'application/*',
    '*/*',
    'application/json, application/json',
    'application/json, text/plain',
    'application/json; charset=utf-8, application/octet-stream',
    'application/octet-stream; x="a, application/json"',
    'application/json charset=utf-8',
    'application/json x',
    'application/json; charset',
    'application/json; charset=',
    'application/json; =utf-8',
    'application/json; charset = utf-8',
    'application/json; charset="utf-8',
    'application/json; charset="utf-8"x',
    'application/json; x="\\',
    'application /json',
    'application/ json',
  ])('%j', (type) => {
    refuses(type, 'exactly one Content-Type is expected: application/json, or application/octet-stream');
  });

  it.each([
    'application/json; charset=utf-16',
    'application/json; charset=us-ascii',
    'application/json; charset=iso-8859-1',
    'application/json; charset="utf-16"',
    'application/json; charset=utf-8; charset=utf-16',
    'application/json; charset=utf-16; charset=utf-8',
    'application/json; charset="utf-8 "',
    'application/json; charset=""',
  ])('%j, with the charset to use', (type) => {
    refuses(type, 'the charset of application/json must be utf-8');
  });

  it('and a long one is as quickly', () => {
    const long = [' ', '\t ; ', ';', 'a', ';a=b', ';a="b', '"', '\\"', '; charset=utf-8'].map((part) =>
      part.repeat(16_000 / part.length),
    );
    const started = performance.now();
    for (const text of long) {
      for (const end of ['', 'x', ',', '"']) {
        try {
          read(`application/json;${text}${end}`);
        } catch {}
      }
    }
    expect(performance.now() - started).toBeLessThan(500);
  });
});
