/** Published test vectors: data with their source and their number, so that none is lost unnoticed. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface VectorFile<T> {
  /** Where the vectors are published. */
  readonly source: string;
  readonly count: number;
  readonly vectors: readonly T[];
}

/** The vectors of `test/vectors/<name>.json`. @throws {Error} unless they have a source and are all there */
export function readVectors<T>(name: string): readonly T[] {
  const path = join(import.meta.dirname, '../vectors', `${name}.json`);
  const { source, count, vectors } = JSON.parse(readFileSync(path, 'utf8')) as VectorFile<T>;
  if (!URL.canParse(source)) throw new Error(`${name}: "source" must be the address of the publication`);
  if (count === 0 || vectors.length !== count) {
    throw new Error(`${name}: ${vectors.length} vectors, of which there are to be ${count}`);
  }
  return vectors;
}
