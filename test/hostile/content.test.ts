/** Bodies that are no request, or one that can be read in two ways; and names of keys. */

import { describe, expect } from 'vitest';
import { only, test } from './arena.ts';
import {
  beforeHandlers,
  build,
  inHandlers,
  malformed,
  notAllowed,
  notFound,
  parser,
  type Row,
  rowsOfTexts,
  unknownKey,
} from './rows.ts';
import { request } from './wire.ts';

const body = (row: string, ...texts: readonly string[]): Row[] =>
  rowsOfTexts(row, malformed, (text) => ({ body: text }), texts);

const bodies: readonly Row[] = [
  ...body('A40', '', 'null', '[]', '"s"', '1', '{}', '\xef\xbb\xbf{"message":"a"}', '{"message":"a'),
  ...body('A40', '{"message":"a"}x', '{"message":"a"}{}', '{"message":"a"}\0', '{"message":NaN}'),
  ...body('A40', '{"message":"a",}', "{'message':'a'}", '{"message":"a\nb"}', '{"message":"a"/* b */}'),
  // Invalid UTF-8: a stray byte, a torn sequence, a surrogate, an overlong NUL, beyond Unicode; in a name.
  ...body('A41', '{"message":"\xff"}', '{"message":"\xc3"}', '{"message":"\xed\xa0\x80"}'),
  ...body('A41', '{"message":"\xc0\x80"}', '{"message":"\xf4\x90\x80\x80"}', '{"mess\xffage":"a"}'),
  ...body('A41', '{"message":"\\ud800"}', '{"message":"\\udc01\\ud800"}', '{"message":"a\\u0000b"}'),
  // Of members with one name the last counts, also when it is the one that is wrong.
  ...body('A42', '{"message":"a","message":1}', '{"message":"a","output":"hex","output":"zz"}'),
  ...body('A42a', '{"message":"a","__proto__":{"output":"base64"}}', '{"__proto__":{"message":"a"}}'),
  ...body('A42a', '{"message":"a","constructor":1}', '{"message":{"toString":1}}'),
  ...body('A42a', '{"message":"a","encoding":"__proto__"}', '{"message":"a","output":"toString"}'),
  ...body('A43', '{"message":"a","extra":1}', '{"Message":"a"}', '{"message":"a","key":"other"}'),
  ...body('A43', '{"message":1}', '{"message":null}', '{"message":["a"]}', '{"message":1e400}'),
  ...body('A43', '{"message":"a","encoding":null}', '{"message":"a","output":["hex"]}'),
  ...['aGVsbG8', ' aGVsbG8=', 'aGVs bG8=', 'aGVsbG9=', 'aGVsbG8==', '*GVsbG8=', '-_-_', '====', 'aGVsb']
    .concat('aGVsbG8=\\n', 'aGVsbG8=\\u0000')
    .flatMap((text) => body('A47', `{"encoding":"base64","message":"${text}"}`)),
  ...['6', 'zz', '0x61', '6 1', '61\\n'].flatMap((text) =>
    body('A47', `{"encoding":"hex","message":"${text}"}`),
  ),
  ...body('A47', '{"encoding":"base64url","message":"aGVs"}', '{"encoding":"BASE64","message":"aGVs"}'),
  ...['none', 'hs256', 'HS512'].flatMap((algorithm) =>
    body('A48', `{"message":"a","algorithm":"${algorithm}"}`, `{"message":"a","alg":"${algorithm}"}`),
  ),
];

const at = (row: string, outcome: Row['outcome'], ...names: readonly string[]): Row[] =>
  rowsOfTexts(row, outcome, (name) => ({ target: `/v1/keys/${name}/sign` }), names);

const unknownNames: readonly Row[] = [
  ...at('A42a', unknownKey, '__proto__', 'constructor', 'toString', 'hasOwnProperty'),
  ...at('A45', unknownKey, 'unknown', 'DEMO', 'demo.', '-demo', '..data', '...', '0'),
  ...at('A45', unknownKey, 'a'.repeat(253), 'a'.repeat(254)),
];

const malformedNames: readonly Row[] = [
  ...at(
    'A45',
    notFound,
    '',
    '../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '..\\..\\etc\\passwd',
    'a/b',
    '..',
  ),
  ...at('A45', notFound, 'demo%20', 'demo%0a', '%64emo', 'demo,other', '*'),
  // The runtime resolves the dot, and a key set of the name `sign` could only be asked about.
  ...at('A45', notAllowed, '.', '%2e'),
  ...at('A45', malformed, 'demo%00', 'd%C3%A9mo', 'd\xd0\xb5mo', '\xff'),
  ...at('A45', parser, 'a'.repeat(10 * 1024), 'demo ', 'demo\n', 'demo\0'),
];

/** What is signed here is not the message of the arena. */
const signed: readonly (readonly [row: string, what: string, body: string, message: string | Buffer])[] = [
  ['A40', 'white space around the body', ' \r\n\t{"message":"a"} \n', 'a'],
  ['A41', 'a surrogate pair', '{"message":"\\ud83d\\ude00"}', '😀'],
  ['A41', 'other bytes as base64', '{"message":"/wA=","encoding":"base64"}', Buffer.from([0xff, 0])],
  ['A42', 'a message twice: the last', '{"message":"a","message":"b"}', 'b'],
  ['A42', 'a message twice, once escaped: the last', '{"message":"a","m\\u0065ssage":"b"}', 'b'],
  ['A42', 'a bad message, then a good one', '{"message":1,"message":"b"}', 'b'],
  ['A42', 'an encoding twice: the last', '{"message":"6161","encoding":"hex","encoding":"utf8"}', '6161'],
  ['A46', 'an empty message', '{"message":""}', ''],
  ['A47', 'an empty message as base64', '{"message":"","encoding":"base64"}', ''],
];

describe('bodies', () => {
  inHandlers(bodies);

  test.for(signed)('%s %s is signed', async ([, , text, message], { arena }) => {
    for (const door of [arena.tcp, arena.unix]) {
      const answer = only(await arena.exchange(door, request(door, { body: text })));
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toMatchObject({ signature: arena.tag(message) });
    }
  });

  test('A46 an empty message as it is', async ({ arena }) => {
    const flaw = { type: 'Content-Type: application/octet-stream', body: '' };
    const answer = only(await arena.exchange(arena.tcp, request(arena.tcp, flaw)));
    expect(JSON.parse(answer.body)).toMatchObject({ signature: arena.tag('') });
  });
});

describe('names', () => {
  inHandlers(unknownNames);
  beforeHandlers(malformedNames);

  test('A45 every unknown name gets the same answer, within the same time', async ({ arena }) => {
    const { tcp } = arena;
    const unknown = ['unknown', 'demp', 'demo2', 'x', '__proto__', 'a'.repeat(253)];
    const times = new Map<string, number[]>(unknown.map((name) => [name, []]));
    const answers = new Set<string>();
    // In turns, so that whatever else the machine does falls on all of them.
    for (let round = 0; round < 60; round++) {
      for (const [name, list] of times) {
        const done = await arena.exchange(tcp, build(tcp, arena.body, { target: `/v1/keys/${name}/sign` }));
        list.push(done.elapsedMs);
        answers.add(done.bytes.toString('latin1').replace(/^(?:date: .*|connection: close)\r\n/gim, ''));
      }
    }
    expect(answers.size).toBe(1);
    const medians = [...times.values()].map(median);
    expect(Math.max(...medians)).toBeLessThan(2 * Math.min(...medians));
  });
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
