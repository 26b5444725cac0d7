/** Mutations of requests, as data: fast-check draws them, repeats them by seed, and shrinks those that find something. */

import fc from 'fast-check';
import type { Flaw } from '../hostile/wire.ts';
import { canary } from './samples.ts';

/** `insert` replaces `cut` characters; `bit` is inverted; `cutEnd` leaves out the last characters. */
export type TextEdit =
  | { readonly at: number; readonly cut: number; readonly insert: string }
  | { readonly at: number; readonly bit: number }
  | { readonly cutEnd: number }
  | { readonly twiceWith: string }
  | { readonly fillTo: number }
  | { readonly as: 'toUpperCase' | 'toLowerCase' };

/** Of the value that is the `at`-th of all values in the request. */
export type TreeEdit = { readonly at: number } & (
  | { readonly act: 'remove' | 'wrap' | 'spread' }
  | { readonly act: 'replace'; readonly by: string }
  | { readonly act: 'rename'; readonly name: string }
  | { readonly act: 'repeat'; readonly as: 'toString' | 'toUpperCase' }
  | { readonly act: 'add'; readonly name: string; readonly by: string }
  | { readonly act: 'multiply'; readonly times: number }
  | { readonly act: 'copy'; readonly from: number }
  | { readonly act: 'edit'; readonly edit: TextEdit }
);

export interface Mutation {
  /** Which of the valid requests is mutated. */
  readonly sample: number;
  /** Of the JSON. */
  readonly tree: readonly TreeEdit[];
  /** Of the body, after those of the JSON. */
  readonly bytes: readonly TextEdit[];
  /** Of the header fields that carry the signature of a message. */
  readonly fields: readonly { readonly at: number; readonly edit: TextEdit }[];
  readonly head: readonly Flaw[];
}

/** @param kind what the body is: JSON, or the message itself with the signature in header fields */
export function mutations(kind: 'json' | 'message'): fc.Arbitrary<Mutation> {
  const few = <T>(percent: number, drawn: fc.Arbitrary<T>) =>
    weighted<readonly T[]>(
      [100 - percent, fc.constant([])],
      [percent, fc.array(drawn, { minLength: 1, maxLength: 3 })],
    );
  const isJson = kind === 'json';
  return fc.record({
    sample: fc.nat(),
    tree: few(isJson ? 85 : 0, treeEdit),
    bytes: few(isJson ? 12 : 40, textEdit),
    fields: few(isJson ? 0 : 60, fc.record({ at: fc.nat(), edit: textEdit })),
    head: few(4, head),
  });
}

function weighted<T>(
  ...choices: readonly (readonly [weight: number, drawn: fc.Arbitrary<T>])[]
): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

function words(text: string): readonly string[] {
  return text.split(' ');
}

const names = fc.constantFrom(
  ...words(
    '__proto__ constructor toString message body headers HEADERS signature SIGNATURE token items encoding',
  ),
  ...words(
    'output reference tenant exp aud nbf sub crit alg Host X-Amz-Date authorization Content-Digest Webhook-Id',
  ),
  ...['', canary, 'x\r\ny', '\ud800'],
);
const values = weighted<string>(
  [1, fc.json({ maxDepth: 3 })],
  [
    3,
    fc.constantFrom(
      ...words(
        'null true false 0 -0 -1 1.5 1e400 -1e-400 9007199254740993 1e3 60 [] {} [[]] [null] ["a","b"]',
      ),
      ...words(
        '"" "\\u0000" "\\ud800" "\\ud83d\\ude00" "a\\r\\nb:c" "\\u202e" "__proto__" "hex" "utf8" "base64" "1" "s3"',
      ),
      ...words('{"__proto__":{"valid":true}} {"constructor":{"prototype":1}}'),
      ...['" "', `"${canary}"`, `{"a":"${canary}"}`, '['.repeat(60) + ']'.repeat(60)],
    ),
  ],
);
const pieces = fc.oneof(
  fc.constantFrom(
    ...words(
      ', ; = " \' : . / % %2e %2F %00 ? & # + \\ @ * - 0 .. /../ { } [ ] v1= t=1 \u00e9 \ufeff \ud800 \xff',
    ),
    ...[
      '',
      ' ',
      '\t',
      '\r\n ',
      '\r\n',
      '\n',
      '\0',
      '\x7f',
      ', ',
      '; ',
      canary,
      `, ${canary}`,
      `;${canary}="a"`,
    ],
  ),
  fc.string({ maxLength: 4 }),
);
/** Around the limits of a request's head, of what is read at once, and of JSON. */
const sizes = [16, 32, 64, 1024].flatMap((kib) => [-200, -1, 0, 1].map((more) => kib * 1024 + more));
const place = weighted([4, fc.nat()], [1, fc.constant(0)]);
const textEdit = weighted<TextEdit>(
  [80, fc.record({ at: place, cut: weighted([4, fc.nat(2)], [1, fc.nat(80)]), insert: pieces })],
  [30, fc.record({ at: place, bit: fc.nat(6) })],
  [12, fc.record({ cutEnd: fc.integer({ min: 1, max: 12 }) })],
  [5, fc.record({ twiceWith: fc.constantFrom('', ' ', ',', ', ', ';', '.') })],
  [8, fc.record({ as: fc.constantFrom('toUpperCase', 'toLowerCase') })],
  [1, fc.record({ fillTo: fc.constantFrom(...sizes) })],
);
/** A batch has at most a thousand items. */
const times = weighted([30, fc.nat(40)], [1, fc.constant(1001)]);
const treeEdit = weighted<TreeEdit>(
  [6, fc.record({ at: place, act: fc.constant('edit'), edit: textEdit })],
  [2, fc.record({ at: place, act: fc.constantFrom('remove', 'wrap', 'spread') })],
  [2, fc.record({ at: place, act: fc.constant('replace'), by: values })],
  [1, fc.record({ at: place, act: fc.constant('rename'), name: names })],
  [1, fc.record({ at: place, act: fc.constant('repeat'), as: fc.constantFrom('toString', 'toUpperCase') })],
  [1, fc.record({ at: place, act: fc.constant('add'), name: names, by: values })],
  [1, fc.record({ at: place, act: fc.constant('copy'), from: place })],
  [1, fc.record({ at: place, act: fc.constant('multiply'), times })],
);

const types = [
  ...words(
    'application/json, application/json; application/jsonx application/json;a=b Application/JSON text/plain',
  ),
  ...[
    'application/json; charset=utf-8',
    'application/json ;charset="UTF-8"',
    'application/json; charset=latin1',
  ],
  ...[
    'application/octet-stream',
    'multipart/form-data; boundary=a',
    '\tapplication/json\t',
    '',
    '\xff',
    canary,
  ],
].map((type) => `Content-Type: ${type}`);
const hosts = ['', 'localhost', '[::1]', 'a@b', '\xff', canary].map((host) => `Host: ${host}`);
const lines = [
  ...[
    'Sec-Signer: 1',
    'Content-Type: application/json',
    'Sec-Signer-Signature: 00',
    'X-Hub-Signature-256: sha256=00',
  ],
  ...['Origin: null', 'Content-Encoding: gzip', 'Upgrade: h2c', 'Via: a', 'Cookie: a=b', 'Range: bytes=0-1'],
  ...['Webhook-Id: 1', 'Accept: text/html', 'Connection: close', 'TE: trailers', ' folded', 'A B: c', ': c'],
  ...[`${canary}: ${canary}`, `X: ${canary.repeat(800)}`, 'X: \xff', 'X: \0', 'Sec-Signer-Signature:'],
];
const head = fc.oneof<fc.Arbitrary<Flaw>[]>(
  fc.record({ type: fc.constantFrom(null, ...types) }),
  fc.record({ host: fc.constantFrom(null, ...hosts) }),
  fc.record({
    caller: fc.constantFrom(null, 'Sec-Signer: 0', 'Sec-Signer:1', 'SEC-SIGNER: 1', 'Sec-Signer: 1, 1'),
  }),
  fc.record({ method: fc.constantFrom(...words('GET PUT OPTIONS PATCH DELETE QUERY')) }),
  fc.record({ target: fc.constantFrom(...words('? ?a=b / #a %2e %00 /../verify ;a \xff'), canary) }),
  fc.record({ more: fc.constantFrom(...lines).map((line) => [line]) }),
);
