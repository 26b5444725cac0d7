/**
 * The paths of the signing listener. The routes, the refusal of other paths and methods, and the OpenAPI document follow
 * from this table.
 */

import type { Operation } from '../api/messages.ts';

export interface Path {
  readonly method: 'GET' | 'POST';
  readonly operationId: string;
  readonly summary: string;
  /** Set for a path that signs or verifies. */
  readonly operation?: Operation;
  readonly isBatch?: boolean;
}

const post = (operation: Operation, operationId: string, summary: string, isBatch: boolean) =>
  ({ method: 'POST', operationId, summary, operation, isBatch }) as const;

/** What can be done with a key set, by the last segment of the path. */
export const operationPaths = {
  sign: post('sign', 'sign', 'Signs a message', false),
  verify: post('verify', 'verify', 'Verifies a signature', false),
  challenge: post('challenge', 'challenge', 'Answers the challenge of a webhook provider', false),
  'sign-batch': post('sign', 'signBatch', 'Signs many messages', true),
  'verify-batch': post('verify', 'verifyBatch', 'Verifies many signatures', true),
} as const;

/** Every path by its template. */
export const paths: Readonly<Record<string, Path>> = {
  '/v1/keys': { method: 'GET', operationId: 'listKeySets', summary: 'Lists the key sets of the caller' },
  '/v1/keys/{name}': { method: 'GET', operationId: 'getKeySet', summary: 'Describes a key set' },
  ...Object.fromEntries(
    Object.entries(operationPaths).map(([segment, path]) => [`/v1/keys/{name}/${segment}`, path]),
  ),
};

/** The segments of a path that asks for an operation: the name of a key set, and what to do. */
export const operationPath: RegExp = new RegExp(
  `^/v1/keys/([^/]+)/(${Object.keys(operationPaths).join('|')})$`,
);

/**
 * The path of a request, with its query. If the Host is empty or malformed, the URL that the runtime gives is the target
 * alone, in which a router for URLs could find another path.
 */
export function pathOf({ url }: Request): string {
  return url.startsWith('/') ? url : url.slice(url.indexOf('/', 'http://'.length));
}

/** The paths, for a caller who asks for another one. */
export const pathList = `/v1/keys, /v1/keys/{name} and /v1/keys/{name}/${Object.keys(operationPaths).join(', ')}`;

/** The method that a path takes; undefined for a path that does not exist. */
export function methodOf(path: string): Path['method'] | undefined {
  return patterns.find(({ pattern }) => pattern.test(path))?.method;
}

const patterns = Object.entries(paths).map(([template, { method }]) => ({
  pattern: new RegExp(`^${template.replace('{name}', '[^/]+')}$`),
  method,
}));
