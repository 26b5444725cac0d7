/** Makes a mutation of a request: of its JSON, its bytes, or its head. */

import type { Flaw } from '../hostile/wire.ts';
import type { Mutation, TextEdit, TreeEdit } from './mutations.ts';

/** A JSON value as it is written, so that it may have a member twice, or a number that no double holds. */
type Written = string | Branch;
interface Branch {
  readonly brackets: '[]' | '{}';
  readonly children: { name: string; value: Written }[];
}

/** Over every limit of JSON. Of a much longer body, the signer does not read the rest before it closes. */
const maxBytes = 2 ** 21;

/** The body of a JSON request after its mutations, one character a byte. */
export function mutateJson(request: unknown, { tree, bytes }: Mutation): string {
  const root: Branch = { brackets: '[]', children: [{ name: '', value: read(request) }] };
  for (const edit of tree) mutateTree(root, edit);
  const body = root.children.map(({ value }) => write(value)).join('');
  return bytes.reduce(mutateBytes, Buffer.from(body).toString('latin1')).slice(0, maxBytes);
}

/** An edit of bytes that are given as one character a byte. */
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
    case 'multiply': {
      // What is beyond the limit is cut off in the end.
      const times = Math.min(edit.times, Math.ceil(maxBytes / write(value).length));
      parent.children.push(...Array.from({ length: times }, () => ({ ...child })));
      break;
    }
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
