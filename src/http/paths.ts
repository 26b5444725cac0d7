/**
 * The paths of the signing listener. The routes, the refusal of other paths and methods, and the OpenAPI document all
 * follow from this table.
 */

import type { Operation } from '../signing/policy.ts';

export interface Path {
  readonly method: 'GET' | 'POST';
  readonly operationId: string;
  readonly summary: string;
}

/** A path that signs or verifies. */
export interface OperationPath extends Path {
  readonly operation: Operation;
  readonly isBatch: boolean;
}

const keySets = '/v1/keys';
const keySet = '/v1/keys/{name}';

/** The paths that describe key sets, by their templates. */
export const descriptionPaths: Readonly<Record<typeof keySets | typeof keySet, Path>> = {
  [keySets]: { method: 'GET', operationId: 'listKeySets', summary: 'Lists all key sets' },
  [keySet]: { method: 'GET', operationId: 'getKeySet', summary: 'Describes a key set' },
};

/** What is done at the paths below a key set, by their last segment. */
export const operationPaths: ReadonlyMap<string, OperationPath> = new Map([
  ['sign', post('sign', false, 'sign', 'Signs a message')],
  ['verify', post('verify', false, 'verify', 'Verifies a signature')],
  ['sign-batch', post('sign', true, 'signBatch', 'Signs many messages')],
  ['verify-batch', post('verify', true, 'verifyBatch', 'Verifies many signatures')],
]);

/** Every path by its template. */
export const paths: Readonly<Record<string, Path>> = {
  ...descriptionPaths,
  ...Object.fromEntries([...operationPaths].map(([segment, path]) => [`${keySet}/${segment}`, path])),
};

/** The segments of a URL that asks for an operation: the name of a key set, and what to do. */
export const operationUrl: RegExp = new RegExp(
  `^http://[^/]+${keySets}/([^/]+)/(${[...operationPaths.keys()].join('|')})$`,
);

/** The paths, for whoever asks for another one. */
export const pathList = `${keySets}, ${keySet} and ${keySet}/${[...operationPaths.keys()].join(', ')}`;

/** The method that a path takes; undefined for a path that does not exist. */
export function methodOf(path: string): Path['method'] | undefined {
  return patterns.find(({ pattern }) => pattern.test(path))?.method;
}

const patterns = Object.entries(paths).map(([template, { method }]) => ({
  pattern: new RegExp(`^${template.replace('{name}', '[^/]+')}$`),
  method,
}));

function post(operation: Operation, isBatch: boolean, operationId: string, summary: string): OperationPath {
  return { method: 'POST', operation, isBatch, operationId, summary };
}
