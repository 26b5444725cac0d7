/** The OpenAPI document as text, with the paths of the key sets that are loaded. */

import type { Snapshot } from '../key-sets/snapshot.ts';
import { yieldTurns } from '../turns.ts';
import { describeApi } from './openapi.ts';
import { createKeySetPaths } from './openapi-key-sets.ts';
import { namedSchemas, type Schema } from './openapi-schemas.ts';

/** Returns the document for a snapshot, or without key sets. It is made once for each generation, when it is asked for. */
export type ApiDescriber = (snapshot: Snapshot | undefined) => Promise<string>;

/**
 * @param version of the signer
 * @param callers the names of the listeners
 */
export function createApiDescriber(version: string, callers: readonly string[]): ApiDescriber {
  const latest = { generation: -1, text: Promise.resolve('') };
  return (snapshot) => {
    const generation = snapshot?.generation ?? 0;
    if (latest.generation !== generation) {
      latest.generation = generation;
      latest.text = write(version, snapshot, callers);
    }
    return latest.text;
  };
}

/** Yields between schemas and between key sets, because there can be a thousand of them. */
async function write(
  version: string,
  snapshot: Snapshot | undefined,
  callers: readonly string[],
): Promise<string> {
  const pause = yieldTurns();
  const schemas: Record<string, Schema> = {};
  for (const [name, make] of namedSchemas()) {
    await pause();
    schemas[name] = make();
  }
  const { paths, components, tags, ...rest } = describeApi(version, schemas);
  const written = {
    paths: Object.entries(paths).map(member),
    tags: tags.map((tag) => JSON.stringify(tag)),
  };
  const keySets = createKeySetPaths(callers);
  for (const keySet of snapshot?.keySets.values() ?? []) {
    await pause();
    written.tags.push(JSON.stringify(keySets.tagOf(keySet)));
    written.paths.push(...Object.entries(keySets.pathsOf(keySet)).map(member));
  }
  const used = snapshot === undefined ? components : merge(components, { ...keySets.components });
  return `{${[
    ...Object.entries(rest).map(member),
    `"tags":[${written.tags.join()}]`,
    `"paths":{${written.paths.join()}}`,
    member(['components', used]),
  ].join()}}`;
}

type Components = Readonly<Record<string, Readonly<Record<string, object>>>>;

function merge(components: Components, more: Components): Components {
  const kinds = [...new Set([...Object.keys(components), ...Object.keys(more)])];
  return Object.fromEntries(kinds.map((kind) => [kind, { ...components[kind], ...more[kind] }]));
}

function member([name, value]: readonly [string, unknown]): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
}
