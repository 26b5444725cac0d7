/** Sends a mutated request in every way that must give the same answer, and holds the answers against what is promised. */

import { isDeepStrictEqual } from 'node:util';
import { streamedFormats } from '../../src/api/limits.ts';
import { type Answer, type Door, type Flaw, json, request } from '../hostile/wire.ts';
import { leaksOfAny } from '../support/leaks.ts';
import { type Result, resultsOf } from './answer.ts';
import { createCaller } from './caller.ts';
import { mutateBytes, mutateHead, mutateJson } from './mutate.ts';
import type { Mutation } from './mutations.ts';
import { bytesOf, isRight } from './oracle.ts';
import { type FormatName, formatNames, type Json, keyOf, samples } from './samples.ts';

export type Operation = 'sign' | 'verify';
/** One request as JSON, several in a batch, the message alone as the body, or a signature by the signer's own key. */
export type Way = 'json' | 'batch' | 'stream' | 'forged';

export interface Trial extends Disposable {
  /** @throws {Error} with the request and its answer, if something is not as it should be */
  attempt(operation: Operation, way: Way, mutation: Mutation): Promise<void>;
  /** How many results had each outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Whether an answer had bytes of a key. */
  hasLeaked(): boolean;
}

interface Exchange {
  readonly bytes: Buffer;
  readonly answer: Answer;
  readonly results: readonly Result[];
}

/** For equal requests, these make equal signatures. Those of the others have a time or a nonce. */
const deterministic: readonly FormatName[] = ['raw', 'github', 'shopify', 'cookie'];
/** Of these, the oracle only knows signatures that were made before. */
const recognised: readonly FormatName[] = ['http-signature', 'aws-sigv4'];

/** The ways in which a format takes a request. */
export function waysOf(format: FormatName, operation: Operation): readonly Way[] {
  return [
    'json',
    'batch',
    ...(streamedFormats.includes(format) ? (['stream'] as const) : []),
    ...(operation === 'verify' && samples[format].forge ? (['forged'] as const) : []),
  ];
}

/** Signs the valid requests of a format, from which all others are made. */
export async function createTrial(format: FormatName, seed: number, door: Door): Promise<Trial> {
  const key = keyOf(format, seed);
  const { requests, toVerify, forge } = samples[format];
  const caller = createCaller(door);
  const outcomes = new Map<string, number>();
  const search = createSearch(formatNames.map((each) => keyOf(each, seed)));
  const target = (path: string) => `/v1/keys/${format}/${path}`;

  /** @param isLast a mutation of the head may have made more than one request of it */
  const send = async (flaw: Flaw, isLast = false): Promise<Exchange> => {
    const bytes = request(door, flaw);
    const answer = await caller.call(bytes, isLast).catch((error) => fail(String(error), { bytes }));
    search.add(answer.body);
    try {
      const results = resultsOf(answer);
      for (const { outcome } of results) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      return { bytes, answer, results };
    } catch (error) {
      return fail(String(error), { bytes, answer });
    }
  };

  const signed: Json[] = [];
  for (const each of requests) {
    const { results } = await send({ target: target('sign'), body: json(each) });
    signed.push(toVerify(each, results[0]?.value as Json));
  }
  const valid = { sign: requests, verify: signed };

  const isExact = (operation: Operation) => operation === 'verify' || deterministic.includes(format);

  /** Whether answers to equal requests are as equal as they can be. */
  const isSame = (operation: Operation, ...exchanges: readonly [Exchange, Exchange]) => {
    const exact = isExact(operation);
    const [one, other] = exchanges.map(({ results }) =>
      results.map(({ outcome, value }) => [outcome, exact || outcome !== 'ok' ? value : shapeOf(value)]),
    );
    return isDeepStrictEqual(one, other);
  };

  const sendTwice = async (operation: Operation, flaw: Flaw, isLast: boolean): Promise<Exchange> => {
    const first = await send(flaw, isLast);
    const second = await send(flaw, isLast);
    const [one, other] = [first.answer, second.answer];
    // Which of its two reasons the runtime has to refuse a head depends on the parts in which it arrives.
    const isBare = one.body === '' && other.body === '';
    const isEqual =
      one.status === other.status &&
      (one.body === other.body || (!isExact(operation) && isSame(operation, first, second)));
    return isBare || isEqual ? first : fail('an equal request gets another answer', first, second);
  };

  /** A signature is right, whether it was just made or is found valid. */
  const judge = (operation: Operation, asked: unknown, exchange: Exchange, result: Result | undefined) => {
    if (result?.outcome !== 'valid' && (result?.outcome !== 'ok' || recognised.includes(format))) return;
    const verifiable = operation === 'verify' ? asked : toVerify(asked as Json, result.value as Json);
    if (!isRight(format, key, verifiable as Json, signed)) fail('the signature is not right', exchange);
  };

  const attemptAlone = async (operation: Operation, body: string, mutation: Mutation) => {
    const isHeadMutated = mutation.head.length > 0;
    const alone = await sendTwice(
      operation,
      { ...mutateHead(target(operation), mutation), body },
      isHeadMutated,
    );
    const asked = parse(body);
    // With another content type the body may be a message that is signed as it is.
    if (operation === 'verify' || !isHeadMutated) judge(operation, asked, alone, alone.results[0]);
    // A member `reference` means something in a batch, and nothing elsewhere.
    if (isHeadMutated || asked === undefined || Object.hasOwn(Object(asked), 'reference')) return;
    const batch = await send({ target: target(`${operation}-batch`), body: `{"items":[${body}]}` });
    // A batch has other limits.
    if (isTooLarge(alone) || isTooLarge(batch) || isSame(operation, alone, batch)) return;
    fail('in a batch it gets another answer', alone, batch);
  };

  const attempts: Readonly<Record<Way, (operation: Operation, mutation: Mutation) => Promise<void>>> = {
    json: (operation, mutation) =>
      attemptAlone(operation, mutateJson(pick(valid[operation], mutation.sample), mutation), mutation),

    forged: (operation, mutation) =>
      attemptAlone(
        operation,
        json(forge?.(key, (part) => mutateJson(part, mutation), mutation.sample)),
        mutation,
      ),

    batch: async (operation, mutation) => {
      const [first, second] = [0, 1].map((next) => pick(valid[operation], mutation.sample + next));
      const body = mutateJson({ items: [first, { ...second, reference: 'r' }] }, mutation);
      const head = mutateHead(target(`${operation}-batch`), mutation);
      const exchange = await sendTwice(operation, { ...head, body }, mutation.head.length > 0);
      if (exchange.answer.status !== 200) return;
      const asked = parse(body) as { items: readonly unknown[] } | undefined;
      // With another head, the body may be a message that is verified as it is.
      if (asked === undefined && mutation.head.length > 0) return;
      const items = asked?.items ?? [];
      if (items.length !== exchange.results.length) fail('there is not one result for each item', exchange);
      for (const [index, result] of exchange.results.entries()) {
        const { reference, ...item } = Object(items[index]);
        judge(operation, item, exchange, result);
      }
    },

    stream: async (operation, mutation) => {
      // The output of a raw signature cannot be chosen here.
      const sample = pick(
        valid[operation].filter(({ output }) => output === undefined),
        mutation.sample,
      );
      const field = format === 'raw' ? 'message' : 'body';
      const body = mutation.bytes.reduce(mutateBytes, bytesOf(sample, field).toString('latin1'));
      const fields = linesOf(sample);
      for (const { at, edit } of fields.length > 0 ? mutation.fields : []) {
        fields[at % fields.length] = mutateBytes(pick(fields, at), edit);
      }
      const head = {
        type: 'Content-Type: application/octet-stream',
        ...mutateHead(target(operation), mutation, fields),
      };
      const exchange = await sendTwice(
        operation,
        { ...head, body },
        fields.length + mutation.head.length > 0,
      );
      const asked = {
        ...fromLines(format, fields),
        [field]: Buffer.from(body, 'latin1').toString('base64'),
        encoding: 'base64',
      };
      judge(operation, asked, exchange, exchange.results[0]);
      if (exchange.answer.status !== 200 || mutation.head.length > 0 || !fields.every(isPlain)) return;
      const asJson = await send({ target: target(operation), body: json(asked) });
      if (isTooLarge(asJson) || isSame(operation, exchange, asJson)) return;
      fail('as JSON it gets another answer', exchange, asJson);
    },
  };
  return {
    attempt: (operation, way, mutation) => attempts[way](operation, mutation),
    outcomes,
    hasLeaked: search.hasFound,
    [Symbol.dispose]: () => caller.close(),
  };
}

/** Searches texts for secrets, many at once since that is quicker, and equal ones once. */
function createSearch(secrets: readonly Buffer[]) {
  const texts = new Set<string>();
  let length = 0;
  let found = false;
  const search = () => {
    found ||= leaksOfAny([...texts].join('\n'), secrets).length > 0;
    texts.clear();
    length = 0;
  };
  return {
    add: (text: string) => {
      texts.add(text);
      length += text.length;
      if (length > 2 ** 22) search();
    },
    hasFound: () => {
      search();
      return found;
    },
  };
}

function pick<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T;
}

function isTooLarge({ results }: Exchange): boolean {
  return results.some(({ outcome }) => outcome === 'message_too_large');
}

/** The types of everything in a value. */
function shapeOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.entries(value).map(([name, member]) => [name, shapeOf(member)]);
}

/** The value of a JSON body, given as one character a byte; undefined if it is no JSON. */
function parse(body: string): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(body, 'latin1'),
    );
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What verifies a message beside its bytes, as lines of an HTTP head; none for a message to sign. */
function linesOf({ signature, headers = {} }: Json): string[] {
  if (signature !== undefined) return [`Sec-Signer-Signature: ${signature}`];
  return Object.entries(headers as Json).map(([name, value]) => `${name}: ${value}`);
}

/** The same as members of a JSON request. */
function fromLines(format: FormatName, lines: readonly string[]): Json {
  if (lines.length === 0) return {};
  const headers = Object.fromEntries(
    lines.map((line) => {
      const [name = '', ...value] = line.split(':');
      return [name, value.join(':').trim()];
    }),
  );
  return format === 'raw' ? { signature: Object.values(headers)[0] } : { headers };
}

/** Whether a line is read in the same way by everybody. */
function isPlain(line: string): boolean {
  return /^[A-Za-z0-9-]+: [!-~]+(?: [!-~]+)*$/.test(line);
}

/** @throws {Error} that shows what was sent and answered */
function fail(problem: string, ...shown: readonly Partial<Exchange>[]): never {
  const cut = (text: string, length: number) =>
    text.length > length ? `${text.slice(0, length)}… (${text.length})` : text;
  const lines = shown.flatMap(({ bytes, answer }) => [
    ...(bytes ? [`  > ${cut(JSON.stringify(bytes.toString('latin1')), 2000)}`] : []),
    ...(answer ? [`  < ${answer.status} ${cut(answer.body, 1000)}`] : []),
  ]);
  throw new Error([problem, ...lines].join('\n'));
}
