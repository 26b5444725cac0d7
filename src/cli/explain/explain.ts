/** `sidecar-signer explain`: says why the signature of a received request is not valid. It reads the keys, and prints none. */

import { escapeControls } from '../../bytes/text.ts';
import { readingsOf } from '../../key-sets/readings.ts';
import { isKeySetName, keySetNameRule } from '../../key-sets/settings.ts';
import type { KeyStore } from '../../key-sets/store.ts';
import { CommandFailure } from '../failure.ts';
import { type KeyOptions, readKeysOnce } from '../open-keys.ts';
import { printResult } from '../output.ts';
import { type AskedKeySet, diagnose } from './diagnose.ts';
import { formatDiagnosis } from './report.ts';
import { type RequestOptions, readRequest } from './request.ts';

export interface ExplainOptions extends KeyOptions, RequestOptions {
  /** As of when to judge the time of the request, in milliseconds. Default: now. */
  readonly at?: number;
  readonly json?: true;
}

/** @throws {CommandFailure} */
export async function explain(name: string, file: string, options: ExplainOptions): Promise<void> {
  if (!isKeySetName(name)) {
    throw new CommandFailure(`the name of the key set is not valid; use ${keySetNameRule}`);
  }
  const request = readRequest(file, options);
  const { store, problems } = await readKeysOnce(options, { only: name });
  try {
    const keySet = askedKeySet(store, name, problems);
    const diagnosis = diagnose(keySet, request, options.at ?? Date.now());
    if (diagnosis === undefined) {
      const { format } = keySet.settings;
      throw new CommandFailure(
        `explain is for the webhook formats and raw, and "${name}" has the format ${format.name}; for others, the answer of a verify request has the reason`,
      );
    }
    printResult(options, diagnosis, formatDiagnosis(diagnosis));
    process.exitCode = diagnosis.valid ? 0 : 1;
  } finally {
    store?.drop();
  }
}

/** @throws {CommandFailure} */
function askedKeySet(store: KeyStore | undefined, name: string, problems: readonly string[]): AskedKeySet {
  const configuration = store?.configuration.latest;
  if (store === undefined || configuration === undefined) {
    // Its problems could name other key sets.
    throw new CommandFailure('the configuration cannot be loaded; "sidecar-signer check" lists its problems');
  }
  const keySet = store.current?.keySets.get(name);
  const settings = keySet?.settings ?? configuration.keySets([name]).get(name);
  if (settings === undefined) {
    throw new CommandFailure('there is no key set of this name; check the name, --keys and --config');
  }
  if ('root' in settings.source) {
    throw new CommandFailure(`"${name}" has derived keys, one for each tenant, which explain does not know`);
  }
  const secret = store.secretOf(settings.source);
  if (secret === undefined) {
    const others = problems.map(withoutSuggestion).join('; ');
    throw new CommandFailure(
      `there is no secret to explain${others === '' ? '; check --keys' : `: ${others}`}`,
    );
  }
  const algorithm = keySet?.keys[0].mac.algorithm ?? settings.algorithm ?? settings.format.algorithms[0];
  return {
    name,
    settings,
    keys: keySet?.keys,
    problems: problems.map((problem) => escapeControls(withoutSuggestion(problem))),
    algorithm,
    readings: (algorithms) => readingsOf(secret, settings, algorithms),
  };
}

/** A suggestion is the name of another file, which may be another key set. */
function withoutSuggestion(problem: string): string {
  return problem.replace(/; did you mean .*$/s, '');
}
