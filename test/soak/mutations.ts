/** Mutations of requests, as data: fast-check draws them, repeats them by seed, and shrinks those that find something. */

import fc from 'fast-check';
import type { Flaw } from '../hostile/wire.ts';
import { canary } from './samples.ts';

/** A JSON value as it is written, so that it may have a member twice, or a number that no double holds. */
type Written = string | Branch;
interface Branch {
  readonly brackets: '[]' | '{}';
  readonly children: { name: string; value: Written }[];
}

/**
 * Replaces `cut` characters by `insert`, cuts the end, writes the text twice, inverts one bit, fills up to a length, or
 * changes the letter case.
 */
type TextEdit =
  | { readonly at: number; readonly cut: number; readonly insert: string }
  | { readonly cutEnd: number }
  | { readonly twiceWith: string }
  | { readonly at: number; readonly bit: number }
  | { readonly fillTo: number }
  | { readonly as: 'toUpperCase' | 'toLowerCase' };

/** Of the value that is the `at`-th of all values in the request. */
type TreeEdit = { readonly at: number } & (
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
  readonly tree: readonly TreeEdit[];
  readonly bytes: readonly TextEdit[];
  readonly fields: readonly { readonly at: number; readonly edit: TextEdit }[];
  readonly head: readonly Flaw[];
}

const names = fc.constantFrom(
  ...['__proto__', 'constructor', 'toString', '', canary, 'reference', 'tenant', 'encoding', 'output'],
  ...[
    'message',
    'body',
    'headers',
    'signature',
    'token',
    'items',
    'HEADERS',
    'exp',
    'aud',
    'nbf',
    'sub',
    'crit',
    'alg',
  ],
  ...['Host', 'X-Amz-Date', 'authorization', 'Content-Digest', 'Webhook-Id', 'SIGNATURE', 'x\r\ny', '\ud800'],
);
const scalars = fc.constantFrom(
  ...['null', 'true', 'false', '0', '-0', '-1', '1.5', '1e400', '-1e-400', '9007199254740993', '1e3', '60'],
  ...['""', '" "', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"a\\r\\nb: c"', '"\\u202e"', '"__proto__"'],
  ...['"hex"', '"utf8"', '"base64"', '"UTF-8"', '"1"', '"s3"', '[]', '{}', '[[]]', '[null]', '["a","b"]'],
  ...['{"__proto__":{"valid":true}}', '{"constructor":{"prototype":1}}', `"${canary}"`, `{"a":"${canary}"}`],
  `${'['.repeat(60)}1${']'.repeat(60)}`,
);
const values = fc.oneof(
  { weight: 3, arbitrary: scalars },
  { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
);
const pieces = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      ' ',
      '\t',
      ',',
      ';',
      '=',
      '"',
      "'",
      ':',
      '.',
      '/',
      '%',
      '%2e',
      '%2F',
      '%00',
      '?',
      '&',
      '#',
      '+',
      '\\',
    ],
    ...[
      '\r\n ',
      '\r\n',
      '\n',
      '\0',
      '\x7f',
      '\u00e9',
      '\ufeff',
      '\ud800',
      '@',
      '*',
      '-',
      '0',
      ', ',
      '; ',
      'v1=',
    ],
    ...['t=1', '..', '/../', '{', '}', '[', ']', '\xff', canary, `, ${canary}`, `;${canary}="a"`],
  ),
  fc.string({ maxLength: 4 }),
);
const fewer = fc.oneof({ weight: 4, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(80) });
const place = fc.oneof({ weight: 4, arbitrary: fc.nat() }, { weight: 1, arbitrary: fc.constant(0) });
/** Around the limits of a request's head, of what is read at once, and of JSON. */
const sizes = [16, 32, 64, 1024].flatMap((kib) => [-200, -1, 0, 1].map((more) => kib * 1024 + more));
const textEdit: fc.Arbitrary<TextEdit> = fc.oneof(
  { weight: 80, arbitrary: fc.record({ at: place, cut: fewer, insert: pieces }) },
  { weight: 30, arbitrary: fc.record({ at: place, bit: fc.nat(6) }) },
  { weight: 12, arbitrary: fc.record({ cutEnd: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 5, arbitrary: fc.record({ twiceWith: fc.constantFrom('', ' ', ',', ', ', ';', '.') }) },
  { weight: 8, arbitrary: fc.record({ as: fc.constantFrom('toUpperCase', 'toLowerCase') }) },
  { weight: 1, arbitrary: fc.record({ fillTo: fc.constantFrom(...sizes) }) },
);
/** Over every limit of JSON. Of a much longer body, the signer does not read the rest before it closes. */
const maxBytes = 2 ** 21;
/** A batch has at most a thousand items. */
const times = fc.oneof({ weight: 30, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.constant(1001) });
const treeEdit: fc.Arbitrary<TreeEdit> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ at: place, act: fc.constant('edit'), edit: textEdit }) },
  { weight: 2, arbitrary: fc.record({ at: place, act: fc.constantFrom('remove', 'wrap', 'spread') }) },
  { weight: 2, arbitrary: fc.record({ at: place, act: fc.constant('replace'), by: values }) },
  { weight: 1, arbitrary: fc.record({ at: place, act: fc.constant('rename'), name: names }) },
  {
    weight: 1,
    arbitrary: fc.record({
      at: place,
      act: fc.constant('repeat'),
      as: fc.constantFrom('toString', 'toUpperCase'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ at: place, act: fc.constant('add'), name: names, by: values }) },
  { weight: 1, arbitrary: fc.record({ at: place, act: fc.constant('copy'), from: place }) },
  { weight: 1, arbitrary: fc.record({ at: place, act: fc.constant('multiply'), times }) },
) as fc.Arbitrary<TreeEdit>;

const json = 'application/json';
const head: fc.Arbitrary<Flaw> = fc.oneof(
  fc.record({
    type: fc
      .constantFrom(
        null,
        ...[
          json,
          `${json}; charset=utf-8`,
          `${json} ;charset="UTF-8"`,
          `${json};`,
          `${json}; charset=latin1`,
        ],
        ...[
          `${json}, ${json}`,
          `${json}x`,
          `${json};a=b`,
          'Application/JSON',
          'application/octet-stream',
          '',
        ],
        ...['text/plain', 'multipart/form-data; boundary=a', canary, `\t${json}\t`, `${json};charset=\xff`],
      )
      .map((type) => type && `Content-Type: ${type}`),
  }),
  fc.record({
    host: fc.constantFrom(
      null,
      'Host:',
      'Host: localhost',
      'Host: [::1]',
      `Host: ${canary}`,
      'Host: a@b',
      'Host: \xff',
    ),
  }),
  fc.record({
    caller: fc.constantFrom(null, 'Sec-Signer: 0', 'Sec-Signer:1', 'SEC-SIGNER: 1', 'Sec-Signer: 1, 1'),
  }),
  fc.record({ method: fc.constantFrom('GET', 'PUT', 'OPTIONS', 'PATCH', 'DELETE', 'QUERY') }),
  fc.record({
    target: fc.constantFrom('?', '?a=b', '/', '#a', '%2e', '%00', '/../verify', ';a', canary, '\xff'),
  }),
  fc.record({
    more: fc
      .constantFrom(
        ...[
          'Sec-Signer: 1',
          'Content-Type: application/json',
          'Sec-Signer-Signature: 00',
          'Sec-Signer-Signature:',
        ],
        ...[
          'Origin: null',
          'Content-Encoding: gzip',
          'Upgrade: h2c',
          'Via: a',
          'Cookie: a=b',
          'Range: bytes=0-1',
        ],
        ...[
          'X-Hub-Signature-256: sha256=00',
          'Webhook-Id: 1',
          'Accept: text/html',
          'Connection: close',
          ' folded',
        ],
        ...[
          'TE: trailers',
          'A B: c',
          ': c',
          `${canary}: ${canary}`,
          `X: ${canary.repeat(800)}`,
          'X: \xff',
          'X: \0',
        ],
      )
      .map((line) => [line]),
  }),
);

/** @param kind what the body is: JSON, or the message itself with the signature in header fields */
export function mutations(kind: 'json' | 'message'): fc.Arbitrary<Mutation> {
  const few = <T>(arbitrary: fc.Arbitrary<T>, percent: number) =>
    fc.oneof(
      { weight: 100 - percent, arbitrary: fc.constant([]) },
      { weight: percent, arbitrary: fc.array(arbitrary, { minLength: 1, maxLength: 3 }) },
    );
  return fc.record({
    sample: place,
    tree: few(treeEdit, kind === 'json' ? 85 : 0),
    bytes: few(textEdit, kind === 'json' ? 12 : 40),
    fields: few(fc.record({ at: place, edit: textEdit }), kind === 'json' ? 0 : 60),
    head: few(head, 4),
  });
}

/** The body of a JSON request after its mutations, one character a byte. */
export function mutateJson(request: unknown, { tree, bytes }: Mutation): string {
  const root: Branch = { brackets: '[]', children: [{ name: '', value: read(request) }] };
  for (const edit of tree) mutateTree(root, edit);
  const body = root.children.map(({ value }) => write(value)).join('');
  return bytes.reduce(mutateBytes, Buffer.from(body).toString('latin1')).slice(0, maxBytes);
}

export function mutateBytes(bytes: string, edit: TextEdit): string {
  return Buffer.from(mutateText(bytes, edit), 'latin1').toString('latin1');
}

/** The flaws of a request's head as one, for a target. */
export function mutateHead(target: string, { head }: Mutation, fields: readonly string[] = []): Flaw {
  const all = Object.assign({}, ...head) as Flaw;
  return {
    ...all,
    target: target + (all.target ?? ''),
    more: [...fields, ...head.flatMap(({ more = [] }) => more)],
  };
}

function mutateText(text: string, edit: TextEdit): string {
  if ('as' in edit) return text[edit.as]();
  if ('cutEnd' in edit) return text.slice(0, -edit.cutEnd);
  if ('twiceWith' in edit) return text + edit.twiceWith + text;
  if ('fillTo' in edit) return text.padEnd(edit.fillTo, 'a');
  const at = edit.at % (text.length + 1);
  if ('cut' in edit) return text.slice(0, at) + edit.insert + text.slice(at + edit.cut);
  const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << edit.bit));
  return at === text.length ? text : text.slice(0, at) + flipped + text.slice(at + 1);
}

function mutateTree(root: Branch, edit: TreeEdit): void {
  const slots = [...slotsOf(root)];
  const [parent, index] = slots[edit.at % Math.max(slots.length, 1)] ?? [];
  const child = parent?.children[index ?? 0];
  if (parent === undefined || index === undefined || child === undefined) return;
  const { value } = child;
  switch (edit.act) {
    case 'remove':
      parent.children.splice(index, 1);
      break;
    case 'replace':
      child.value = edit.by;
      break;
    case 'rename':
      child.name = edit.name;
      break;
    case 'repeat':
      parent.children.push({ name: child.name[edit.as](), value });
      break;
    case 'add':
      if (typeof value !== 'string') value.children.push({ name: edit.name, value: edit.by });
      break;
    case 'copy': {
      const [from, at] = slots[edit.from % slots.length] ?? [];
      child.value = write(from?.children[at ?? 0]?.value ?? 'null');
      break;
    }
    case 'multiply':
      parent.children.push(...Array.from({ length: edit.times }, () => ({ ...child })));
      break;
    case 'wrap':
      child.value = { brackets: '[]', children: [{ name: '', value }] };
      break;
    case 'spread': // a header as the list of its parts
      if (isString(value)) child.value = read(JSON.parse(value).split(/(?<=[,;]) */));
      break;
    case 'edit':
      if (isString(value)) child.value = JSON.stringify(mutateText(JSON.parse(value), edit.edit));
      break;
  }
}

/** Every value in a tree, by where it stands. */
function* slotsOf(branch: Branch): Generator<readonly [Branch, number]> {
  for (const [index, { value }] of branch.children.entries()) {
    yield [branch, index];
    if (typeof value !== 'string') yield* slotsOf(value);
  }
}

function isString(value: Written): value is string {
  return typeof value === 'string' && value.startsWith('"');
}

function read(value: unknown): Written {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const children = members.map(([name, member]) => ({ name, value: read(member) }));
  return { brackets: Array.isArray(value) ? '[]' : '{}', children };
}

function write(value: Written): string {
  if (typeof value === 'string') return value;
  const { brackets, children } = value;
  const parts = children.map((child) =>
    brackets === '{}' ? `${JSON.stringify(child.name)}:${write(child.value)}` : write(child.value),
  );
  return brackets[0] + parts.join(',') + brackets[1];
}
