/**
 * The routes of the signing listener. Each handler takes one snapshot and uses it to the end; what it is given has
 * passed the guard.
 */

import { Hono } from 'hono';
import { SignerError } from '../api/errors.ts';
import { maxJsonBytes, maxJsonBytesBesideStream } from '../api/limits.ts';
import { parseExactJson } from '../bytes/exact-json.ts';
import type { KeySet, Snapshot } from '../key-sets/snapshot.ts';
import { findKeySet, type Outcome, type Signer, takesStream } from '../signer.ts';
import type { Operation } from '../signing/policy.ts';
import { yieldTurns } from '../turns.ts';
import { type Labelled, parseBatch, takeReference } from './batch.ts';
import type { BodyReader, JsonBound } from './body.ts';
import { noSuchPath } from './guard.ts';
import { parseJson } from './json-body.ts';
import type { Handler } from './listen.ts';
import { answerHeaders, asSignerError, problemResponse, toProblem } from './problem.ts';

/** Of one request whose message could come as it is, and then be of any length. */
export const jsonBesideStream: JsonBound = {
  maxBytes: maxJsonBytesBesideStream,
  advice: 'send the message itself as application/octet-stream, or the request in a batch',
};
/** Of a batch, and of one request that can come in no other way. */
export const jsonAlone: JsonBound = { maxBytes: maxJsonBytes, advice: 'send less at once' };

/** Milliseconds that a batch is worked on before others have their turn. */
const batchTurnMs = 1;

export interface AppOptions {
  /** The snapshot in force, or undefined before there is one. */
  readonly snapshot: () => Snapshot | undefined;
  readonly bodies: BodyReader;
  readonly signer: Signer;
  /** Told how each operation of a key set ended; each item of a batch is one. */
  readonly onOperation: (keySet: string, operation: Operation, outcome: Outcome) => void;
  /** Told of an error that is a fault of the signer. */
  readonly onFault: (error: unknown) => void;
}

export function createApp({ snapshot, bodies, signer, onOperation, onFault }: AppOptions): Handler {
  const app = new Hono();

  const current = (): Snapshot => {
    const ready = snapshot();
    if (ready !== undefined) return ready;
    const detail = 'no valid keys are loaded yet; the log and /status on the ops listener say why';
    throw new SignerError('not_ready', detail, { 'retry-after': '1' });
  };

  const streamed = async (operation: Operation, keySet: KeySet, request: Request): Promise<object> => {
    const signing =
      operation === 'sign'
        ? signer.startSigning(keySet)
        : signer.startVerification(keySet, signatureHeader(request));
    for await (const part of bodies.parts(request)) signing.update(part);
    return counted(operation, keySet, signing.finish());
  };

  const carriedOut = (operation: Operation, keySet: KeySet, request: unknown): object =>
    counted(operation, keySet, signer.carryOut(keySet, operation, request));

  const counted = (operation: Operation, { name }: KeySet, answer: object): object => {
    onOperation(name, operation, 'valid' in answer && answer.valid === false ? 'invalid' : 'ok');
    return answer;
  };

  /** An item of a batch fails alone; its `reference` comes back either way. */
  const batchItem = (operation: Operation, keySet: KeySet, item: unknown): object => {
    let label: Labelled['label'] = {};
    try {
      const labelled = takeReference(item);
      label = labelled.label;
      return { ...carriedOut(operation, keySet, labelled.request), ...label };
    } catch (thrown) {
      const error = fault(thrown);
      onOperation(keySet.name, operation, error.code);
      return { error: toProblem(error), ...label };
    }
  };

  /** With pauses: a thousand items may take a second, and others are not to wait for it. */
  const batch = async (operation: Operation, keySet: KeySet, bytes: Uint8Array): Promise<Response> => {
    const pause = yieldTurns(batchTurnMs);
    const results: object[] = [];
    for (const item of parseBatch(parseJson(bytes, parser(operation, keySet)))) {
      await pause();
      results.push(batchItem(operation, keySet, item));
    }
    return answer({ results });
  };

  const fault = (error: unknown): SignerError => {
    if (!(error instanceof SignerError)) onFault(error);
    return asSignerError(error);
  };

  const operate = async (name: string, operation: Operation, isBatch: boolean, request: Request) => {
    try {
      const keySet = findKeySet(current(), name, operation);
      if (!isJson(request)) {
        if (isBatch) throw new SignerError('unsupported_media_type', 'a batch must be application/json');
        return answer(await streamed(operation, keySet, request));
      }
      if (isBatch) {
        // Looked up anew when its turn has come: a key may have been removed since.
        return await bodies.inTurn(request, jsonAlone, (bytes) =>
          batch(operation, findKeySet(current(), name, operation), bytes),
        );
      }
      const bound = takesStream(keySet, operation) ? jsonBesideStream : jsonAlone;
      return answer(
        carriedOut(operation, keySet, await bodies.json(request, bound, parser(operation, keySet))),
      );
    } catch (thrown) {
      const error = fault(thrown);
      // Of the names that a caller can think of, only those that exist are counted; and of callers, those still there.
      if (!request.signal.aborted && snapshot()?.keySets.has(name)) onOperation(name, operation, error.code);
      return problemResponse(error);
    }
  };

  app.get('/v1/keys', () => answer({ keys: [...current().keySets.values()].map(describe) }));
  app.get('/v1/keys/:name', (c) => answer(describe(findKeySet(current(), c.req.param('name')))));

  app.notFound(({ req }) => {
    const allow = allowedMethod(req.path);
    return problemResponse(allow === undefined ? noSuchPath() : methodNotAllowed(allow));
  });
  app.onError((error) => problemResponse(fault(error)));

  return (request) => {
    const [, name, operation, isBatch] = operationPattern.exec(request.url) ?? [];
    if (name === undefined || request.method !== 'POST') return app.fetch(request);
    return operate(name, operation as Operation, isBatch !== undefined, request);
  };
}

/** The operations are told apart here: a router would cost each of them a seventh of its time. */
const operationPattern = /^http:\/\/[^/]+\/v1\/keys\/([^/]+)\/(sign|verify)(-batch)?$/;

/** What anybody who may use a key set may know of it: never key material. */
function describe({ name, settings, keys, tenantKeys, since }: KeySet): object {
  const { format, policy } = settings;
  const [primary] = keys;
  return {
    name,
    format: format.name,
    algorithm: primary.mac.algorithm,
    allow: policy.allow,
    keyIds: keys.map(({ id }) => id),
    primary: primary.id,
    since: since.toISOString(),
    // Not for whom: who an application's customers are is nothing that its neighbour has to be told.
    ...(tenantKeys && { derived: true }),
    policy: {
      ...format.options,
      ...(Number.isFinite(policy.maxMessageBytes) && { maxMessageBytes: policy.maxMessageBytes }),
      ...(policy.rateLimit && { rateLimit: policy.rateLimit }),
    },
  };
}

/** Where numbers are signed, none may become another one on the way. */
function parser(operation: Operation, { settings: { format } }: KeySet): (text: string) => unknown {
  return operation === 'sign' && format.exactNumbers ? parseExactJson : JSON.parse;
}

function signatureHeader(request: Request): string {
  const signature = request.headers.get('sec-signer-signature');
  if (signature !== null) return signature;
  throw new SignerError(
    'malformed_request',
    'the header "Sec-Signer-Signature" must hold the signature to verify',
  );
}

function isJson(request: Request): boolean {
  return request.headers.get('content-type')?.toLowerCase().startsWith('application/json') ?? false;
}

// One Headers for all answers: a Response copies it, which costs less than building it anew.
const answerInit: ResponseInit = {
  headers: new Headers({ ...answerHeaders, 'content-type': 'application/json' }),
};

function answer(body: object): Response {
  return new Response(JSON.stringify(body), answerInit);
}

/** The method of a path that exists, for one that was asked with another. */
function allowedMethod(path: string): 'GET' | 'POST' | undefined {
  if (/^\/v1\/keys\/[^/]+\/(?:sign|verify)(?:-batch)?$/.test(path)) return 'POST';
  return /^\/v1\/keys(?:\/[^/]+)?$/.test(path) ? 'GET' : undefined;
}

function methodNotAllowed(allow: string): SignerError {
  return new SignerError('method_not_allowed', `this path takes ${allow} only`, { allow });
}
