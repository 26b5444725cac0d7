/** A diagnosis of a request that a test makes, by keys and a configuration as the program reads them. */

import { type Diagnosis, diagnose } from '../../src/cli/explain/diagnose.ts';
import { parseHead } from '../../src/cli/explain/head.ts';
import { readingsOf } from '../../src/key-sets/readings.ts';
import { type Content, createTestStore } from './keys.ts';

export const now = Date.UTC(2027, 0, 15, 8);

export interface Asked {
  /** What stands under `keys.asked`, in YAML. */
  readonly settings: string;
  readonly secret: string | Uint8Array;
  /** The head of the request. */
  readonly head: readonly string[];
  readonly body: string | Uint8Array;
  readonly url?: string;
  readonly nowMs?: number;
}

export async function ask({ settings, secret, head, body, url, nowMs = now }: Asked): Promise<Diagnosis> {
  const { store, put } = createTestStore({ yaml: `keys:\n  asked: ${settings}\n` });
  const content: Content = { asked: secret };
  // A secret that is refused is explained as well.
  const problems = await put(content).then(
    () => [],
    (refusal: Error) => [refusal.message],
  );
  const keySet = store.current?.keySets.get('asked');
  const known = keySet?.settings ?? store.configuration.latest?.keySets(['asked']).get('asked');
  if (known === undefined) throw new Error('the configuration has no key set of this name');
  const sealed = store.secretOf(known.source);
  if (sealed === undefined) throw new Error('there is no secret');
  const diagnosis = diagnose(
    {
      name: 'asked',
      settings: known,
      keys: keySet?.keys,
      problems,
      algorithm: keySet?.keys[0].mac.algorithm ?? known.algorithm ?? known.format.algorithms[0],
      readings: (algorithms) => readingsOf(sealed, known, algorithms),
    },
    {
      ...parseHead(Buffer.from(head.join('\r\n')), 'request'),
      body: Buffer.from(body),
      ...(url !== undefined && { url }),
    },
    nowMs,
  );
  if (diagnosis === undefined) throw new Error('the format is not explained');
  return diagnosis;
}

/** The codes of what explains a signature; undefined if nothing does. */
export function codesOf({ matches, differences }: Diagnosis): readonly string[] | undefined {
  return matches ? differences.map(({ code }) => code) : undefined;
}
