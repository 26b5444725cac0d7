/** The manifests of this project say what `inject` writes. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inject } from '../../../src/cli/inject/inject.ts';
import type { InjectOptions } from '../../../src/cli/inject/options.ts';
import { documentsOf, type PodSpec, stream, templateOf } from './manifests.ts';

const read = (path: string): unknown =>
  parse(readFileSync(join(import.meta.dirname, '../../../manifests', path), 'utf8'), { version: '1.1' });

interface Manifest {
  readonly kind: string;
  readonly spec: PodSpec & { readonly template: { readonly spec: PodSpec } };
}

const podOf = ({ kind, spec }: Manifest): PodSpec => (kind === 'Pod' ? spec : spec.template.spec);

/** The application as it would be without the signer. */
function withoutSigner(pod: PodSpec): PodSpec {
  const isOurs = ({ name }: { readonly name: string }) => name.startsWith('signer-');
  const without = (container: Readonly<Record<string, unknown>> & { readonly name: string }) => {
    const {
      env = [],
      volumeMounts = [],
      ...rest
    } = container as {
      readonly name: string;
      readonly env?: readonly { readonly name: string }[];
      readonly volumeMounts?: readonly { readonly name: string }[];
    };
    const own = env.filter(({ name }) => name !== 'SIGNER_SOCKET');
    const mounts = volumeMounts.filter((mount) => !isOurs(mount));
    return {
      ...rest,
      ...(own.length > 0 && { env: own }),
      ...(mounts.length > 0 && { volumeMounts: mounts }),
    };
  };
  const { volumes, initContainers, ...rest } = pod;
  expect(volumes?.every(isOurs)).toBe(true);
  expect(initContainers).toBeUndefined();
  return { ...rest, containers: pod.containers.filter(({ name }) => name !== 'signer').map(without) };
}

describe('what inject adds to the application is what stands there:', () => {
  it.each<[string, Partial<InjectOptions>]>([
    ['two-container-pod/pod.yaml', { tcp: true }],
    [
      'two-callers/pod.yaml',
      {
        audit: true,
        callers: [
          { name: 'web', containers: ['web'] },
          { name: 'worker', containers: ['worker'] },
        ],
      },
    ],
    ['deployment/deployment.yaml', {}],
  ])('%s', (path, options) => {
    const manifest = read(path) as Manifest;
    const pod = podOf(manifest);
    const alone = {
      ...manifest,
      spec: {
        ...manifest.spec,
        ...(manifest.kind === 'Pod' ? {} : { template: { spec: withoutSigner(pod) } }),
      },
    };
    const from = manifest.kind === 'Pod' ? { ...manifest, spec: withoutSigner(pod) } : alone;
    const { spec } = templateOf(from, { classic: true, image: 'sidecar-signer', ...options });
    expect(spec).toEqual(pod);
  });
});

describe('the component sidecar', () => {
  const wanted = templateOf(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'any' },
      spec: { template: { spec: { containers: [{ name: 'web' }] } } },
    },
    { image: 'sidecar-signer' },
  ).spec;
  const withoutNull = (value: unknown) =>
    JSON.parse(JSON.stringify(value), (_, each: unknown) => (each === null ? undefined : each)) as object;

  it('adds the signer, its volumes and the switches', () => {
    const { containers: _, ...added } = wanted;
    expect(withoutNull(podOf(read('sidecar/signer.yaml') as Manifest))).toEqual(added);
  });

  it('adds the same to a CronJob', () => {
    const { spec } = read('sidecar/cron-job.yaml') as { spec: { jobTemplate: { spec: object } } };
    const { spec: other } = read('sidecar/signer.yaml') as { spec: object };
    expect(spec.jobTemplate.spec).toEqual(other);
  });

  it('gives every container the same variable and mount', () => {
    const { env, volumeMount } = read('sidecar/sockets/socket-mount.yaml') as {
      env: object;
      volumeMount: object;
    };
    expect(wanted.containers).toEqual([{ name: 'web', env: [env], volumeMounts: [volumeMount] }]);
  });
});

describe('the examples', () => {
  it.each<[string, Partial<InjectOptions>]>([
    ['stateful-set.yaml', {}],
    ['cron-job.yaml', {}],
    ['external-secrets.yaml', {}],
    ['csi-driver.yaml', { secretProviderClass: 'signer-keys' }],
  ])('%s asks for the signer by its label, and gets it', (file, options) => {
    const text = readFileSync(join(import.meta.dirname, '../../../manifests/examples', file), 'utf8');
    const { summary, problems, text: once } = inject(text, options);
    expect({ problems, actions: summary.map(({ action, notes }) => [action, notes]) }).toEqual({
      problems: [],
      actions: [['added', []]],
    });
    expect(inject(once, { ...options, remove: true }).text).toBe(text);
    expect(documentsOf(once).length).toBeGreaterThan(0);
    expect(stream()).toBe('');
    // The command in the first lines has these flags.
    const flag = options.secretProviderClass === undefined ? '' : ' --secret-provider-class signer-keys';
    expect(text).toContain(`sidecar-signer inject${flag} ${file} | kubectl apply -f -`);
  });
});
