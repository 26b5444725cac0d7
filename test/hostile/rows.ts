/** Runs tables of hostile requests, each through every door. */

import { expect } from 'vitest';
import {
  type Arena,
  expectProblem,
  expectSigned,
  expectUnsigned,
  only,
  type Refused,
  test,
} from './arena.ts';
import { type Door, type Exchange, type Flaw, request } from './wire.ts';

/** A row of the list of hostile inputs; several can carry the same number. */
export interface Row {
  readonly row: string;
  readonly what: string;
  /** In its texts, `{host}` stands for the Host that is served, `{port}` for its port. */
  readonly flaw: Flaw;
  readonly outcome: Outcome;
}

/**
 * The problem that is answered; or what the runtime's own parser does before it calls us: it closes, after an answer
 * of class 4xx, or 505, or none; or a signature, for what only looks hostile.
 */
export type Outcome = Refused | typeof parser | 'signed';

export const parser = 'by the parser';

export const malformed: Refused = [400, 'malformed_request'];
export const forbidden: Refused = [403, 'forbidden_caller'];
export const notFound: Refused = [404, 'not_found'];
export const unknownKey: Refused = [404, 'unknown_key'];
export const notAllowed: Refused = [405, 'method_not_allowed'];
export const tooLarge: Refused = [413, 'message_too_large'];
export const unsupported: Refused = [415, 'unsupported_media_type'];
const notReady: Refused = [503, 'not_ready'];

/** Rows of one number and outcome: what each is, and its flaw. */
export function rowsOf(row: string, outcome: Outcome, flaws: Readonly<Record<string, Flaw>>): Row[] {
  return Object.entries(flaws).map(([what, flaw]) => ({ row, what, flaw, outcome }));
}

/** Rows whose flaw is one text, which says what it is. */
export function rowsOfTexts(
  row: string,
  outcome: Outcome,
  flaw: (text: string) => Flaw,
  texts: readonly string[],
): Row[] {
  return texts.map((text) => ({
    row,
    what: text.length > 60 ? `${text.length} characters` : JSON.stringify(text),
    flaw: flaw(text),
    outcome,
  }));
}

type Doors = (arena: Arena) => readonly Door[];

const everyDoor: Doors = ({ tcp, unix, keyless }) => [tcp, unix, keyless];

/** Tests rows that no handler may see: without keys, where a handler can say only that, the refusal is the same. */
export function beforeHandlers(rows: readonly Row[], doors: Doors = everyDoor): void {
  declare(rows, async (arena, { flaw, outcome }) => {
    for (const door of doors(arena)) {
      const done = await arena.exchange(door, build(door, arena.body, flaw));
      expectOutcome(arena, done, outcome === 'signed' && door === arena.keyless ? notReady : outcome);
    }
  });
}

/** Tests rows that are the handlers' to judge. */
export function inHandlers(rows: readonly Row[]): void {
  declare(rows, async (arena, { flaw, outcome }) => {
    for (const door of [arena.tcp, arena.unix])
      expectOutcome(arena, await arena.exchange(door, build(door, arena.body, flaw)), outcome);
  });
}

function declare(rows: readonly Row[], run: (arena: Arena, row: Row) => Promise<void>): void {
  test('a request without a flaw is signed', ({ arena }) => expectSigned(arena));
  test.for(rows)('$row $what', (row, { arena }) => run(arena, row));
}

/** The request with the message of the arena, unless its flaw is in the body. */
export function build({ at, host }: Door, body: string, flaw: Flaw): Buffer {
  const port = host.split(':').at(-1) ?? '';
  const filled = JSON.stringify(flaw).replaceAll('{host}', host).replaceAll('{port}', port);
  return request({ at, host }, { body, ...JSON.parse(filled) });
}

export function expectOutcome(arena: Arena, done: Exchange, outcome: Outcome): void {
  if (outcome === 'signed') {
    const { status, body } = only(done);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ signature: arena.tag(arena.message) });
  } else if (outcome === parser) {
    expectUnsigned(arena, done);
    expect(done.closed).toBe(true);
    expect(done.answers.length).toBeLessThanOrEqual(1);
    for (const { status, body } of done.answers) {
      expect(status === 505 || (status >= 400 && status < 500), `status ${status}`).toBe(true);
      expect(body).toBe('');
    }
  } else {
    expectProblem(arena, done, outcome);
  }
}
