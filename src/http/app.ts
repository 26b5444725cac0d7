/** The handlers of the signing listener. Each request uses one snapshot from beginning to end. */

import { Hono } from 'hono';
import { SignerError } from '../api/errors.ts';
import type { Operation } from '../api/messages.ts';
import type { Journal } from '../audit/journal.ts';
import { parseExactJson } from '../bytes/exact-json.ts';
import type { KeySet, Snapshot } from '../key-sets/snapshot.ts';
import {
  type AuthorizedOperation,
  findKeySet,
  isVisible,
  lookUpKeySet,
  type OperationResult,
  type Outcome,
  type Signer,
} from '../signer.ts';
import type { Notes } from '../signing/format.ts';
import { yieldTurns } from '../turns.ts';
import { eventOf, outcomeOf, resultOf } from './audited.ts';
import { parseBatch, takeReference, withReference } from './batch.ts';
import type { BodyReader } from './body.ts';
import { noSuchPath } from './guard.ts';
import { mostOfBatch, parseJson } from './json-body.ts';
import { describeKeySet } from './key-set-description.ts';
import type { Handler } from './listen.ts';
import type { MediaType } from './media.ts';
import { methodOf, operationPath, operationPaths } from './paths.ts';
import { asSignerError, jsonResponse, notReady, problemResponse, toProblem, unrecorded } from './problem.ts';
import { type Timed, timed } from './timed.ts';
import { refuseTwoSignatures } from './two-signatures.ts';

/** What to do about a JSON request that is too long, where its message could have any length. */
const adviceToStream = 'send the message itself as application/octet-stream';

/** How many milliseconds a batch may run before other requests get a turn. */
const batchTurnMs = 1;

/** The path is derived once, before the router. */
interface Routed {
  Bindings: { readonly path: string; readonly caller: string };
}

interface BatchItem {
  readonly result: object;
  readonly counted: OperationResult;
  /** As `performance.now()` tells it. To ask for the time costs something, so the next item begins at the same time. */
  readonly endedAt: number;
  /** Of the audit; see `Journal`. */
  readonly mayLeave: Promise<boolean> | undefined;
}

export interface AppOptions {
  /** The current snapshot, if there is one yet. */
  readonly snapshot: () => Snapshot | undefined;
  /** Called once for each caller. */
  readonly createBodyReader: () => BodyReader;
  readonly signer: Signer;
  /** Absent if no audit is kept. */
  readonly audit?: Pick<Journal, 'record'> | undefined;
  /** Called with each operation of a key set when its answer is certain. Each item of a batch is an operation. */
  readonly onOperation: (result: OperationResult) => void;
  /** Called with an error that is a fault of the signer. */
  readonly onFault: (error: unknown) => void;
}

/** @returns the handler of a listener, by the name of the caller: whoever comes in through that listener */
export function createApp(options: AppOptions): (caller: string) => Handler {
  const { snapshot, createBodyReader, signer, audit, onOperation, onFault } = options;
  const app = new Hono<Routed>({ getPath: (_request, options) => options?.env?.path ?? '' });

  const current = (): Snapshot => {
    const ready = snapshot();
    if (ready !== undefined) return ready;
    throw notReady();
  };

  /** @throws {SignerError} `not_ready`, `unknown_key`, `operation_not_allowed` */
  const authorize = (caller: string, name: string, operation: Operation): AuthorizedOperation =>
    signer.authorize(findKeySet(current(), name, caller), operation, caller);

  /** Carries out one item. If it fails, the others still run. The result repeats its `reference`. */
  const batchItem = (authorized: AuthorizedOperation, item: unknown, begunAt: number): BatchItem => {
    const notes: Notes | undefined = audit && {};
    let reference: string | undefined;
    let answer: object | undefined;
    let result: object;
    let outcome: Outcome;
    try {
      const labelled = takeReference(item);
      reference = labelled.reference;
      answer = authorized.carryOut(labelled.request, notes);
      result = answer;
      outcome = outcomeOf(answer);
    } catch (thrown) {
      const error = fault(thrown);
      result = { error: toProblem(error) };
      outcome = error.code;
    }
    const endedAt = performance.now();
    return {
      result: withReference(result, reference),
      counted: resultOf(authorized, outcome, answer, answer && endedAt - begunAt),
      endedAt,
      mayLeave: audit?.record(withReference(eventOf(authorized, outcome, notes, answer), reference)),
    };
  };

  /** A thousand items may take a second, so other requests get their turns in between. */
  const batch = async (authorized: AuthorizedOperation, bytes: Uint8Array): Promise<Response> => {
    const pause = yieldTurns(batchTurnMs);
    const items: BatchItem[] = [];
    let now = performance.now();
    for (const item of parseBatch(parseJson(bytes, mostOfBatch, parserFor(authorized)))) {
      const turn = pause(now);
      if (turn !== undefined) {
        await turn;
        now = performance.now();
      }
      const done = batchItem(authorized, item, now);
      now = done.endedAt;
      items.push(done);
    }
    if (audit !== undefined) {
      // Many items wait for the same write.
      const written = await Promise.all(new Set(items.map(({ mayLeave }) => mayLeave)));
      if (written.includes(false)) throw unrecorded();
    }
    for (const { counted } of items) onOperation(counted);
    return jsonResponse({ results: items.map(({ result }) => result) });
  };

  const fault = (error: unknown): SignerError => {
    if (!(error instanceof SignerError)) onFault(error);
    return asSignerError(error);
  };

  /** The key set of this name, if there is one for the caller. */
  const known = (caller: string, name: string): KeySet | undefined => {
    const ready = snapshot();
    return ready && lookUpKeySet(ready, name, caller);
  };

  const operate = async (
    caller: string,
    bodies: BodyReader,
    name: string,
    { operation, isBatch }: (typeof operationPaths)[keyof typeof operationPaths],
    request: Request,
    mediaType: MediaType | undefined,
  ) => {
    const notes: Notes | undefined = audit && {};
    try {
      const authorized = authorize(caller, name, operation);
      let done: Timed;
      if (mediaType !== 'json') {
        if (isBatch) throw new SignerError('unsupported_media_type', 'a batch must be application/json');
        const sink = timed(authorized.start((header) => request.headers.get(header) ?? undefined, notes));
        await bodies.parts(request, sink.update);
        done = sink.finish();
      } else {
        refuseTwoSignatures(request, authorized);
        if (isBatch) {
          // Look the key set up again when the batch's turn has come: a key may have been removed since.
          return await bodies.inTurn(request, 'send fewer items at once', (bytes) =>
            batch(authorize(caller, name, operation), bytes),
          );
        }
        const advice = authorized.takesStream ? adviceToStream : 'send less';
        const body = await bodies.json(request, advice, parserFor(authorized));
        const begunAt = performance.now();
        const answer = authorized.carryOut(body, notes);
        done = { answer, durationMs: performance.now() - begunAt };
      }
      const { answer, durationMs } = done;
      const outcome = outcomeOf(answer);
      if (audit !== undefined) {
        const mayLeave = await audit.record(eventOf(authorized, outcome, notes, answer));
        if (mayLeave === false) throw unrecorded();
      }
      onOperation(resultOf(authorized, outcome, answer, durationMs));
      return jsonResponse(answer);
    } catch (thrown) {
      let error = fault(thrown);
      // Nobody waits for the answer, and nothing was signed.
      if (request.signal.aborted) return problemResponse(error);
      const keySet = known(caller, name);
      if (audit !== undefined && error.code !== 'unrecorded') {
        const mayLeave = await audit.record(eventOf({ caller, operation, keySet }, error.code, notes));
        if (mayLeave === false) error = unrecorded();
      }
      // Count only key sets that exist, which bounds the number of labels. Count none that is hidden from the caller: it
      // counts like a name that does not exist.
      if (keySet !== undefined) onOperation({ caller, keySet: name, operation, outcome: error.code });
      return problemResponse(error);
    }
  };

  app.get('/v1/keys', ({ env: { caller } }) => {
    const visible = [...current().keySets.values()].filter((keySet) => isVisible(keySet, caller));
    return jsonResponse({ caller, keys: visible.map((keySet) => describeKeySet(keySet, caller)) });
  });
  app.get('/v1/keys/:name', ({ env: { caller }, req }) =>
    jsonResponse({ caller, ...describeKeySet(findKeySet(current(), req.param('name'), caller), caller) }),
  );

  app.notFound(({ req }) => {
    const allow = methodOf(req.path);
    return problemResponse(allow === undefined ? noSuchPath() : methodNotAllowed(allow));
  });
  app.onError((error) => problemResponse(fault(error)));

  return (caller) => {
    const bodies = createBodyReader();
    return (request, path, mediaType) => {
      // Operations do not pass the router, which costs a seventh of their throughput.
      const [, name, segment] = operationPath.exec(path) ?? [];
      if (name === undefined || request.method !== 'POST') return app.fetch(request, { path, caller });
      const operation = operationPaths[segment as keyof typeof operationPaths];
      return operate(caller, bodies, name, operation, request, mediaType);
    };
  };
}

/** If the format signs numbers, parse them without losing digits. */
function parserFor({
  operation,
  keySet: {
    settings: { format },
  },
}: AuthorizedOperation): (text: string) => unknown {
  return operation === 'sign' && format.exactNumbers ? parseExactJson : JSON.parse;
}

function methodNotAllowed(allow: string): SignerError {
  return new SignerError('method_not_allowed', `this path takes ${allow} only`, { allow });
}
