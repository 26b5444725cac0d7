import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../support/signer.ts';
import {
  createNamespace,
  type Namespace,
  obstacle,
  patienceMs,
  type SignerPodOptions,
  secret,
  signerPod,
} from './kubernetes.ts';

interface Case {
  readonly name: string;
  readonly pod: SignerPodOptions;
  /** What is there when the pod starts. */
  readonly given: readonly object[];
  /** In one line of the pod's log or one of its events. */
  readonly says: { readonly in: 'log' | 'event'; readonly line: RegExp };
  /** What makes it right, without a restart. */
  readonly fix: readonly object[];
}

const key = () => randomBytes(32);
const configMap = (name: string, yaml: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { 'signer.yaml': yaml },
});
const keysOf = (secretName: string, more: object = {}) => ({ secret: { secretName, ...more } });
const configured = (name: string) => ({
  args: ['--config=/etc/signer/config/signer.yaml'],
  mounts: [{ name: 'config', mountPath: '/etc/signer/config', readOnly: true }],
  volumes: [{ name: 'config', configMap: { name } }],
});

const cases: readonly Case[] = [
  {
    name: 'no-secret',
    pod: { keys: keysOf('no-secret') },
    given: [],
    says: { in: 'event', line: /secret "no-secret" not found/ },
    fix: [secret('no-secret', { orders: key() })],
  },
  {
    name: 'optional-secret',
    pod: { keys: keysOf('optional-secret', { optional: true }) },
    given: [],
    says: { in: 'log', line: /\/etc\/signer\/keys holds no file; put a key into the secret/ },
    fix: [secret('optional-secret', { orders: key() })],
  },
  {
    name: 'empty-secret',
    pod: { keys: keysOf('empty-secret') },
    given: [secret('empty-secret', {})],
    says: { in: 'log', line: /\/etc\/signer\/keys holds no file; put a key into the secret/ },
    fix: [secret('empty-secret', { orders: key() })],
  },
  {
    name: 'empty-key',
    pod: { keys: keysOf('empty-key') },
    given: [secret('empty-key', { orders: '' })],
    says: { in: 'log', line: /orders.* is empty; write a key of at least 32 random bytes into it/ },
    fix: [secret('empty-key', { orders: key() })],
  },
  {
    name: 'three-bytes',
    pod: { keys: keysOf('three-bytes') },
    given: [secret('three-bytes', { orders: 'abc' })],
    says: { in: 'log', line: /orders.* is 3 bytes long; a key needs at least 16, better 32/ },
    fix: [secret('three-bytes', { orders: key() })],
  },
  {
    name: 'trailing-newline',
    pod: { keys: keysOf('trailing-newline') },
    given: [secret('trailing-newline', { orders: `${randomBytes(24).toString('base64url')}\n` })],
    says: { in: 'log', line: /orders.*newline.*(?:echo -n|encoding: text)/ },
    fix: [secret('trailing-newline', { orders: key() })],
  },
  {
    name: 'bad-configuration',
    pod: { keys: keysOf('bad-configuration'), ...configured('bad-configuration') },
    given: [
      secret('bad-configuration', { orders: key() }),
      configMap('bad-configuration', 'keys: { orders: { encodin: bytes } }'),
    ],
    says: { in: 'log', line: /keys\.orders\.encodin: unknown field; did you mean \\"encoding\\"\?/ },
    fix: [configMap('bad-configuration', 'keys: { orders: { encoding: bytes } }')],
  },
  {
    name: 'missing-key',
    pod: { keys: keysOf('missing-key'), ...configured('missing-key') },
    given: [secret('missing-key', { order: key() }), configMap('missing-key', 'keys: { orders: {} }')],
    says: {
      in: 'log',
      line: /needs the file \\"orders\\", which is not in the mounted secrets; did you mean \\"order\\"\?/,
    },
    fix: [secret('missing-key', { orders: key() })],
  },
];

describe.skipIf(obstacle !== undefined)(
  `a pod with a mistake in it${obstacle === undefined ? '' : ` (${obstacle})`}`,
  { timeout: patienceMs * 2 },
  () => {
    let namespace: Namespace;

    beforeAll(async () => {
      namespace = await createNamespace();
      const root = { runAsNonRoot: true };
      namespace.apply(
        ...cases.flatMap(({ given }) => given),
        secret('wrong-group', { orders: key() }),
        secret('sub-path', { orders: key() }),
        ...cases.map(({ name, pod }) => signerPod(name, pod)),
        signerPod('wrong-group', {
          keys: keysOf('wrong-group', { defaultMode: 0o400 }),
          securityContext: root,
        }),
        signerPod('single-file', { keys: keysOf('sub-path'), keysMount: { subPath: 'orders' } }),
        signerPod('sub-path', {
          keys: keysOf('sub-path'),
          keysMount: { subPath: 'orders', mountPath: '/etc/signer/keys/orders' },
        }),
      );
    }, patienceMs);

    afterAll(() => namespace?.[Symbol.asyncDispose]());

    const told = (pod: string, line: RegExp, where: 'log' | 'event' = 'log') =>
      waitFor(() => {
        const lines =
          where === 'event' ? namespace.events(pod) : started(pod) ? namespace.logs(pod).split('\n') : [];
        return lines.find((each) => line.test(each));
      }, patienceMs);
    const started = (pod: string) =>
      namespace.pod(pod).status.containerStatuses?.[0]?.containerID !== undefined;
    const isReady = (pod: string) => namespace.pod(pod).status.containerStatuses?.[0]?.ready;

    test.each(cases)(
      '$name: says in one line what to fix, and recovers without a restart',
      async ({ name, says, fix }) => {
        expect(await told(name, says.line, says.in)).toMatch(says.line);
        expect(isReady(name)).toBe(false);
        namespace.apply(...fix);
        namespace.nudge(name);
        await namespace.ready(name);
        expect(namespace.pod(name).status.containerStatuses?.[0]?.restartCount).toBe(0);
        expect(
          namespace.kubectl(['exec', '--stdin', name, '--', '/sidecar-signer', 'sign', 'orders'], 'x'),
        ).toMatch(/^[0-9a-f]{64}\n$/);
      },
    );

    test('wrong fsGroup: says who cannot read what, and which two fields to set; a pod with them is ready', async () => {
      const line =
        /orders.* cannot be read by uid 65532 with gids [\d,]* \(mode 0400, owner 0:0\); set fsGroup in the pod's securityContext and defaultMode 0440/;
      expect(await told('wrong-group', line)).toMatch(line);
      expect(isReady('wrong-group')).toBe(false);
      // A pod's fsGroup cannot be changed.
      namespace.kubectl(['delete', 'pod', 'wrong-group', '--grace-period=1']);
      namespace.apply(
        signerPod('wrong-group', {
          keys: keysOf('wrong-group', { defaultMode: 0o440 }),
          securityContext: { fsGroup: 65532 },
        }),
      );
      await namespace.ready('wrong-group');
    });

    test('a single file in the place of the directory: says to mount the whole secret', async () => {
      const line =
        /\/etc\/signer\/keys is not a directory; mount the whole secret as a directory, not a single file/;
      expect(await told('single-file', line)).toMatch(line);
      expect(isReady('single-file')).toBe(false);
    });

    test('subPath: serves the key as it was, which is all that Kubernetes ever gives it', async () => {
      await namespace.ready('sub-path');
      const sign = () =>
        namespace.kubectl(['exec', '--stdin', 'sub-path', '--', '/sidecar-signer', 'sign', 'orders'], 'x');
      const before = sign();
      namespace.apply(secret('sub-path', { orders: key() }));
      namespace.nudge('sub-path');
      namespace.apply(signerPod('after-it', { keys: keysOf('sub-path') }));
      await namespace.ready('after-it');
      expect(sign()).toBe(before);
      expect(
        namespace.kubectl(['exec', '--stdin', 'after-it', '--', '/sidecar-signer', 'sign', 'orders'], 'x'),
      ).not.toBe(before);
    });
  },
);
