/** Manifests for the tests of `inject`, and what came out of them. */

import { parseAllDocuments, stringify } from 'yaml';
import { type InjectResult, inject, type WorkloadReport } from '../../../src/cli/inject/inject.ts';
import type { InjectOptions } from '../../../src/cli/inject/options.ts';

export interface Container {
  readonly name: string;
  readonly [field: string]: unknown;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly [source: string]: unknown }[];
  readonly [field: string]: unknown;
}

interface Template {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>>; readonly labels?: object };
  readonly spec: PodSpec;
}

/** A Deployment with one container, `web`. */
export function deployment(spec: object = {}, metadata: object = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', ...metadata },
    spec: { template: { spec: { containers: [{ name: 'web', image: 'shop:1' }], ...spec } } },
  };
}

/** A Deployment whose container `web` has these fields. */
export function withContainer(fields: object, spec: object = {}): object {
  return deployment({ containers: [{ name: 'web', image: 'shop:1', ...fields }], ...spec });
}

export function stream(...objects: readonly object[]): string {
  return objects.map((object) => `---\n${stringify(object)}`).join('');
}

/** Runs `inject --all`. */
export function injectAll(
  objects: object | readonly object[],
  options: Partial<InjectOptions> = {},
): InjectResult {
  return inject(stream(...[objects].flat()), { all: true, ...options });
}

/** The report of the only workload. */
export function reportOf(
  objects: object | readonly object[],
  options: Partial<InjectOptions> = {},
): WorkloadReport {
  const { summary, problems } = injectAll(objects, options);
  const [report] = summary;
  if (report === undefined || summary.length > 1) throw new Error(`not one workload: ${problems.join()}`);
  return report;
}

/** The template of the only workload. */
export function templateOf(
  objects: object | readonly object[],
  options: Partial<InjectOptions> = {},
): Template {
  const { text, summary, problems } = injectAll(objects, options);
  if (text === '') throw new Error([...problems, ...summary.flatMap(({ reasons }) => reasons)].join('; '));
  const found = documentsOf(text).find((object) => Object.hasOwn(object, 'spec')) as {
    kind: string;
    spec: { template: Template; jobTemplate: { spec: { template: Template } } };
  };
  if (found.kind === 'Pod') return found as unknown as Template;
  return found.kind === 'CronJob' ? found.spec.jobTemplate.spec.template : found.spec.template;
}

export function documentsOf(text: string): readonly object[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => document.toJS() as object);
}

/** The signer of the only workload. */
export function signerOf(
  objects: object | readonly object[],
  options: Partial<InjectOptions> = {},
): Container {
  const { spec } = templateOf(objects, options);
  const found = [...(spec.initContainers ?? []), ...spec.containers].find(({ name }) => name === 'signer');
  if (found === undefined) throw new Error('no signer');
  return found;
}

/** The variables of a container. */
export function envOf({ env }: Container): Readonly<Record<string, string>> {
  const variables = env as readonly { readonly name: string; readonly value: string }[];
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}
