/** One line for each request to a signing listener, at debug level. No content, and no name that does not exist. */

import type { ListenOptions } from '../http/listen.ts';
import { operationPath } from '../http/paths.ts';
import type { Snapshot } from '../key-sets/snapshot.ts';
import type { Log } from '../ops/log.ts';
import { lookUpKeySet } from '../signer.ts';

type Handling = Pick<ListenOptions, 'handle' | 'onFault' | 'onRequest' | 'onAnswer'>;

interface Described {
  readonly keySet?: string;
  readonly operation?: string;
  readonly method?: string;
  readonly bytes?: number;
}

interface Begun {
  readonly atMs: number;
  /** What may be said of it. */
  fields: Described;
}

const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * @param caller whoever comes in through this listener
 * @param handling what the listener does with a request
 * @returns the same, with a line for each answer
 */
export function logRequests(
  log: Log,
  caller: string,
  handling: Handling,
  snapshot: () => Snapshot | undefined,
): Handling {
  const requests = new WeakMap<Request, Begun>();
  const isVisible = (name: string): boolean => {
    const current = snapshot();
    return current !== undefined && lookUpKeySet(current, name, caller) !== undefined;
  };
  return {
    ...handling,
    onRequest: (request) => {
      const method = methods.includes(request.method) ? request.method : 'other';
      requests.set(request, { atMs: performance.now(), fields: { method } });
    },
    handle: (request, path, mediaType) => {
      const begun = requests.get(request);
      if (begun !== undefined) begun.fields = describeOperation(request, path, isVisible) ?? begun.fields;
      return handling.handle(request, path, mediaType);
    },
    onAnswer: (status, request) => {
      handling.onAnswer?.(status, request);
      const { atMs = 0, fields } = requests.get(request) ?? {};
      const durationMs = Math.round((performance.now() - atMs) * 1000) / 1000;
      log.debug('request', { caller, ...fields, status, durationMs });
    },
  };
}

/** Undefined if the request asks for no operation. */
function describeOperation(
  { method, headers }: Request,
  path: string,
  isVisible: (keySet: string) => boolean,
): Described | undefined {
  const [, keySet, operation] = operationPath.exec(path) ?? [];
  if (method !== 'POST' || keySet === undefined || operation === undefined) return undefined;
  const bytes = headers.get('content-length');
  return {
    // A name that does not exist for the caller is the caller's text.
    ...(isVisible(keySet) && { keySet }),
    operation,
    ...(bytes !== null && { bytes: Number(bytes) }),
  };
}
