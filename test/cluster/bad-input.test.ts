/** Pods with a mistake in them: each says in one line what to fix, and recovers when it is fixed. */

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNamespace, type Namespace, patienceMs } from './kubernetes.ts';
import { configMap, type SignerPodOptions, secret, signerPod } from './signer-pod.ts';

interface Case {
  readonly name: string;
  readonly pod: SignerPodOptions;
  /** What is there when the pod starts. */
  readonly given: readonly object[];
  /** In one line of the pod's log or one of its events. */
  readonly told: { readonly in: 'log' | 'event'; readonly line: RegExp };
  /** What makes it right, without a restart. */
  readonly fix: readonly object[];
}

const key = () => randomBytes(32);
const configuration = (name: string, yaml: string) => configMap(name, { 'signer.yaml': yaml });
const keysOf = (secretName: string, more: object = {}) => ({ secret: { secretName, ...more } });
const configured = (name: string) => ({
  env: [{ name: 'SIGNER_CONFIG', value: '/etc/signer/config/signer.yaml' }],
  mounts: [{ name: 'config', mountPath: '/etc/signer/config', readOnly: true }],
  volumes: [{ name: 'config', configMap: { name } }],
});

const cases: readonly Case[] = [
  {
    name: 'no-secret',
    pod: { keys: keysOf('no-secret') },
    given: [],
    told: { in: 'event', line: /secret "no-secret" not found/ },
    fix: [secret('no-secret', { orders: key() })],
  },
  {
    name: 'optional-secret',
    pod: { keys: keysOf('optional-secret', { optional: true }) },
    given: [],
    told: { in: 'log', line: /the volume holds no file; put one into the secret/ },
    fix: [secret('optional-secret', { orders: key() })],
  },
  {
    name: 'three-bytes',
    pod: { keys: keysOf('three-bytes') },
    given: [secret('three-bytes', { orders: 'abc' })],
    told: { in: 'log', line: /orders.* is 3 bytes long; a key needs at least 16, better 32/ },
    fix: [secret('three-bytes', { orders: key() })],
  },
  {
    name: 'trailing-newline',
    pod: { keys: keysOf('trailing-newline') },
    given: [secret('trailing-newline', { orders: `${randomBytes(24).toString('base64url')}\n` })],
    told: { in: 'log', line: /orders.*newline.*(?:echo -n|encoding: text)/ },
    fix: [secret('trailing-newline', { orders: key() })],
  },
  {
    name: 'bad-configuration',
    pod: { keys: keysOf('bad-configuration'), ...configured('bad-configuration') },
    given: [
      secret('bad-configuration', { orders: key() }),
      configuration('bad-configuration', 'keys: { orders: { encodin: bytes } }'),
    ],
    told: { in: 'log', line: /keys\.orders\.encodin: unknown field; did you mean \\"encoding\\"\?/ },
    fix: [configuration('bad-configuration', 'keys: { orders: { encoding: bytes } }')],
  },
  {
    name: 'missing-key',
    pod: { keys: keysOf('missing-key'), ...configured('missing-key') },
    given: [secret('missing-key', { order: key() }), configuration('missing-key', 'keys: { orders: {} }')],
    told: {
      in: 'log',
      line: /\\"orders\\" has no file of its name in the mounted secrets; did you mean \\"order\\"\?/,
    },
    fix: [secret('missing-key', { orders: key() })],
  },
];

describe('a pod with a mistake in it', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await createNamespace();
    namespace.apply(
      ...cases.flatMap(({ given }) => given),
      secret('wrong-group', { orders: key() }),
      secret('sub-path', { orders: key() }),
      ...cases.map(({ name, pod }) => signerPod(name, pod)),
      signerPod('wrong-group', { keys: keysOf('wrong-group', { defaultMode: 0o400 }) }),
      signerPod('single-file', { keys: keysOf('sub-path'), keysMount: { subPath: 'orders' } }),
      signerPod('sub-path', {
        keys: keysOf('sub-path'),
        keysMount: { subPath: 'orders', mountPath: '/etc/signer/keys/orders' },
      }),
    );
  });

  afterAll(() => namespace?.[Symbol.asyncDispose]());

  /** Waits until a line of the pod's log or one of its events says it. */
  const says = async (pod: string, line: RegExp, where: 'log' | 'event' = 'log') => {
    const said = async () =>
      where === 'log' ? namespace.logs(pod) : (await namespace.events(pod)).join('\n');
    await expect.poll(said, { timeout: patienceMs }).toMatch(line);
  };
  const signer = async (pod: string) => (await namespace.pod(pod)).status.containerStatuses?.[0];
  const isReady = async (pod: string) => (await signer(pod))?.ready ?? false;
  const sign = (pod: string) =>
    namespace.exec(pod, 'signer', ['/sidecar-signer', 'sign', 'orders'], 'order 4711').toString().trim();

  test.each(cases)(
    '$name: says in one line what to fix, and recovers without a restart',
    async ({ name, told, fix }) => {
      await says(name, told.line, told.in);
      expect(await isReady(name)).toBe(false);
      namespace.apply(...fix);
      await namespace.nudge(name);
      await namespace.ready(name);
      expect((await signer(name))?.restartCount).toBe(0);
      expect(sign(name)).toMatch(/^[0-9a-f]{64}$/);
    },
  );

  test('wrong fsGroup: says who cannot read what, and which two fields to set; a pod with them is ready', async () => {
    const line =
      /orders.* cannot be read by uid 65532 with gids [\d,]* \(mode 0400, owner 0:0\); set fsGroup in the pod's securityContext and defaultMode 0440/;
    await says('wrong-group', line);
    expect(await isReady('wrong-group')).toBe(false);
    // The fsGroup of a pod that is there cannot be changed.
    namespace.apply(
      signerPod('right-group', {
        keys: keysOf('wrong-group', { defaultMode: 0o440 }),
        securityContext: { fsGroup: 65532 },
      }),
    );
    await namespace.ready('right-group');
  });

  test('a single file in the place of the directory: says to mount the whole secret', async () => {
    const line =
      /\/etc\/signer\/keys is not a directory; mount the whole secret as a directory, not a single file/;
    await says('single-file', line);
    expect(await isReady('single-file')).toBe(false);
  });

  test('subPath: warns that it is never updated, and serves the key as it was', async () => {
    const line =
      /\\"orders\\" is a subPath mount and will not follow its replacement; mount the whole secret as a directory/;
    await says('sub-path', line);
    await namespace.ready('sub-path');
    const before = sign('sub-path');
    namespace.apply(secret('sub-path', { orders: key() }));
    await namespace.nudge('sub-path');
    // A pod that is made now gets the new key, so the kubelet has it.
    namespace.apply(signerPod('after-it', { keys: keysOf('sub-path') }));
    await namespace.ready('after-it');
    expect(sign('after-it')).not.toBe(before);
    expect(sign('sub-path')).toBe(before);
  });
});
