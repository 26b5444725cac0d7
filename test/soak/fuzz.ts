/**
 * Sends mutations of valid requests of every format to the compiled binary, and checks each answer: no fault, no hang, no
 * two answers for equal requests, nothing accepted that was not signed, no value in an error, no key byte.
 */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { Door } from '../hostile/wire.ts';
import { startConfigured } from '../support/configured.ts';
import type { Signer } from '../support/signer.ts';
import { mutations } from './mutations.ts';
import { canary, type FormatName, formatNames, keySets } from './samples.ts';
import { createTrial, type Operation, type Trial, type Way, waysOf } from './trial.ts';

export interface FuzzOptions {
  /** The same seed makes the same keys and the same mutations. */
  readonly seed: number;
  /** How many mutations each operation of a format gets. */
  readonly count: number;
  readonly formats?: readonly FormatName[] | undefined;
}

export interface FuzzOutcome {
  readonly format: FormatName;
  readonly mutations: number;
  /** How many results had each outcome: `ok`, `valid`, why a signature is not valid, or an error code. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** What is not as it should be, with the smallest request that shows it. */
  readonly failures: readonly string[];
}

/** Tries one format after the other, with the same signer. */
export async function* fuzz({
  seed,
  count,
  formats = formatNames,
}: FuzzOptions): AsyncGenerator<FuzzOutcome> {
  const { files, settings } = keySets(seed);
  await using configured = await startConfigured(files, settings);
  const { signer } = configured;
  const { host, hostname, port } = new URL(signer.url);
  const door: Door = { at: { host: hostname, port: Number(port) }, host };
  for (const format of formats) {
    const logged = signer.output().length;
    using trial = await createTrial(format, seed, door);
    const runs = (['sign', 'verify'] as const).flatMap((operation) =>
      waysOf(format, operation).map((way) =>
        findFailure(trial, operation, way, { seed: seedOf(seed, format, operation, way), numRuns: count }),
      ),
    );
    const found = (await Promise.all(runs)).filter((each) => each !== undefined);
    if (trial.hasLeaked()) found.push('an answer has bytes of a key');
    found.push(...(await faultsOf(signer, trial, logged)));
    const failures = found.map((each) => `${each}\n  repeat it with --seed ${seed} --format ${format}`);
    yield { format, mutations: runs.length * count, outcomes: trial.outcomes, failures };
  }
}

/** Other mutations for each, but the same whichever formats are tried. */
function seedOf(...parts: readonly (string | number)[]): number {
  return createHash('sha256').update(parts.join(' ')).digest().readInt32BE();
}

/** The first failure, with the smallest mutation that shows it. */
async function findFailure(
  trial: Trial,
  operation: Operation,
  way: Way,
  parameters: { readonly seed: number; readonly numRuns: number },
): Promise<string | undefined> {
  const mutation = mutations(way === 'stream' ? 'message' : 'json');
  const property = fc.asyncProperty(mutation, (each) => trial.attempt(operation, way, each));
  const { failed, errorInstance, counterexample } = await fc.check(property, parameters);
  if (!failed) return undefined;
  const problem = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return `${operation}, ${way}: ${problem}\n  mutation: ${JSON.stringify(counterexample?.[0])}`;
}

/** @param logged how long the log was before the trial */
async function faultsOf(
  { process, opsUrl, output }: Signer,
  trial: Trial,
  logged: number,
): Promise<string[]> {
  if (process.exitCode !== null) return [`the signer has ended: ${output().slice(-4000)}`];
  const log = output().slice(logged);
  const faults: string[] = [];
  const [fault] = log.split('\n').filter((line) => line.includes('"level":"error"'));
  if (fault !== undefined) faults.push(`the log has a fault: ${fault}`);
  if (log.includes(canary)) faults.push('the log repeats a request');
  if (!(await fetch(`${opsUrl}/readyz`)).ok) faults.push('the signer is not ready');
  const unmutated = { sample: 0, tree: [], bytes: [], fields: [], head: [] };
  await trial.attempt('sign', 'json', unmutated).catch((error) => faults.push(String(error)));
  return faults;
}
