/** Reads the headers of a received message leniently: what they would say if a mistake in them were corrected. */

import type { Carrier } from '../../formats/webhook/carriers.ts';
import type { Item } from '../../formats/webhook/header-value.ts';
import type { Values } from '../../formats/webhook/request.ts';
import type { Scheme } from '../../formats/webhook/scheme.ts';
import type { Difference } from './difference.ts';
import type { ReceivedRequest } from './request.ts';
import { decodeSignature, type ReceivedTag } from './signature-text.ts';

/** One way to read the headers. */
export interface Carried {
  readonly values: Values;
  readonly tags: readonly ReceivedTag[];
  readonly differences: readonly Difference[];
}

/** The text of a header, and where it was found. */
interface Source {
  readonly texts: readonly string[];
  readonly differences: readonly Difference[];
}

/** A value of a variable. */
interface Piece {
  readonly variable: string;
  readonly text: string;
  readonly differences: readonly Difference[];
}

/** No header that carries a signature is longer, and lenient matching takes more than linear time. */
const maxCharacters = 2048;
const maxTags = 64;
const maxReadings = 12;
const maxRenamed = 4;

/** @returns the readings that have a signature, the most literal one first */
export function readCarried(scheme: Scheme, request: ReceivedRequest): readonly Carried[] {
  let readings: readonly (readonly Source[])[] = [[]];
  for (const carrier of scheme.carriers) {
    if (carrier.variables.size === 0) continue;
    const sources = sourcesOf(carrier, scheme, request);
    readings = readings
      .flatMap((before) => sources.map((source) => [...before, source]))
      .slice(0, maxReadings);
  }
  const carriers = scheme.carriers.filter(({ variables }) => variables.size > 0);
  return readings.flatMap((sources) => {
    const pieces = sources.flatMap(({ texts }, at) => {
      const carrier = carriers[at];
      return carrier === undefined ? [] : texts.flatMap((text) => piecesOf(carrier, text));
    });
    return carriedBy(
      pieces,
      scheme,
      sources.flatMap(({ differences }) => differences),
    );
  });
}

function carriedBy(
  pieces: readonly Piece[],
  scheme: Scheme,
  differences: readonly Difference[],
): readonly Carried[] {
  const tags = pieces
    .filter(({ variable }) => variable === 'signature')
    .slice(0, maxTags)
    .flatMap((piece) =>
      decodeSignature(piece.text, scheme).map((tag) => ({
        ...tag,
        differences: [...piece.differences, ...tag.differences],
      })),
    );
  if (tags.length === 0) return [];
  const values: Values = {};
  const others: Difference[] = [];
  for (const variable of ['timestamp', 'id', 'nonce'] as const) {
    const [first] = pieces.filter((piece) => piece.variable === variable);
    if (first === undefined) continue;
    values[variable] = first.text;
    others.push(...first.differences);
  }
  return [{ values, tags, differences: [...differences, ...others] }];
}

/** Where the value of a header can be: under its own names, or else under others. */
function sourcesOf(carrier: Carrier, scheme: Scheme, request: ReceivedRequest): readonly Source[] {
  const { headers } = request;
  for (const names of [carrier.reads, carrier.aliases]) {
    const texts = names.flatMap((name) => headers.get(name) ?? []);
    if (texts.length === 0) continue;
    const isSingle = !carrier.variables.has('signature');
    const repeated = isSingle && new Set(texts).size > 1;
    if (!repeated) return [{ texts: texts.slice(0, maxTags), differences: [] }];
    return [texts[0] ?? '', texts.at(-1) ?? ''].map((text) => ({
      texts: [text],
      differences: [twice(carrier)],
    }));
  }
  const renamed = [...headers]
    .filter(([name, values]) => isRenamed(carrier, name, values) && !isOwn(scheme, name))
    .slice(0, maxRenamed);
  // Without this header, the message could still be one of another signed string.
  return [
    ...renamed.map(([name, texts]) => ({
      texts: texts.slice(0, maxTags),
      differences: [otherName(carrier, name)],
    })),
    { texts: [], differences: [] },
  ];
}

function isOwn({ carriers, signedHeaders }: Scheme, name: string): boolean {
  return (
    signedHeaders.includes(name) ||
    carriers.some(({ reads, aliases }) => [...reads, ...aliases].includes(name))
  );
}

/** Proxies and frameworks write `HTTP_X_SIGNATURE` or put `x-original-` in front; others have names of their own. */
function isRenamed(carrier: Carrier, name: string, values: readonly string[]): boolean {
  const canonical = (each: string) =>
    each
      .toLowerCase()
      .replace(/^http[_-]/, '')
      .replaceAll('_', '-');
  const own = [...carrier.reads, ...carrier.aliases].map(canonical);
  if (own.some((each) => canonical(name) === each || canonical(name).endsWith(`-${each}`))) return true;
  if (own.some((each) => each === `x-${canonical(name)}`)) return true;
  const [value = ''] = values;
  if (value.length > maxCharacters) return false;
  const isTime = carrier.variables.has('timestamp') && !carrier.variables.has('signature');
  if (isTime && !/time|date/.test(name)) return false;
  if (carrier.variables.has('id') && !name.endsWith('id')) return false;
  return piecesOf(carrier, value).some(({ differences }) => differences.length === 0);
}

function otherName(carrier: Carrier, name: string): Difference {
  return {
    code: 'header-name',
    when: `the header ${name} stands for ${carrier.names[0]}`,
    remedy: `Pass the header on under its own name, ${carrier.names[0]}; a proxy or a framework may have renamed it.`,
  };
}

function twice(carrier: Carrier): Difference {
  return {
    code: 'header-repeated',
    when: `one of the values of ${carrier.names[0]} is used, which was received several times`,
    remedy: `Find out who adds ${carrier.names[0]} a second time; the signer accepts it only once.`,
  };
}

/** The values in the text of a header. */
function piecesOf(carrier: Carrier, value: string): readonly Piece[] {
  if (value.length > maxCharacters) return [];
  const { items, between, isList, variables } = carrier;
  const isSplit = isList || variables.has('signature');
  const words = isSplit ? value.split(between).map((word) => word.trim()) : [value.trim()];
  const found: Piece[] = [];
  for (let at = 0; at < words.length; at++) {
    const textFor = ({ words: count }: Item) => words.slice(at, at + count).join(',');
    const item =
      items.find((each) => each.pattern.test(textFor(each))) ??
      items.find((each) => loosely(each).test(textFor(each)));
    if (item !== undefined) {
      const [, ...groups] = loosely(item).exec(textFor(item)) ?? [];
      found.push(
        ...item.variables.map((variable, index) => ({
          variable,
          text: groups[index] ?? '',
          differences: [],
        })),
      );
      at += item.words - 1;
    } else found.push(...unprefixed(carrier, words[at] ?? ''));
  }
  return found;
}

/** The pattern of an item without the rules about its values. */
function loosely({ parts }: Item): RegExp {
  const source = parts.map((part) => ('text' in part ? RegExp.escape(part.text) : '(.+?)')).join('');
  return new RegExp(`^${source}$`, 'is');
}

/** A signature behind another prefix than the scheme's, or behind none. */
function unprefixed({ items, names }: Carrier, word: string): readonly Piece[] {
  const item = items.find((each) => each.variables.join() === 'signature' && each.begin !== '');
  if (item === undefined) return [];
  const [, prefix, text = ''] = /^([A-Za-z0-9_-]{1,16}=(?=.))?(.+)$/s.exec(word) ?? [];
  const difference = {
    code: 'signature-prefix',
    when: `the signature in ${names[0]} stands behind ${prefix === undefined ? 'nothing' : `"${prefix}"`}, and not behind "${item.begin}"`,
    remedy: `Pass the header on as it was received, with "${item.begin}" in front of the signature, or choose the format of the sender.`,
  };
  return [{ variable: 'signature', text, differences: [difference] }];
}
