/** What somebody added since to what `inject` had added: a second pass takes it out. */

import { expect, it } from 'vitest';
import { inject } from '../../../src/cli/inject/inject.ts';
import type { InjectOptions } from '../../../src/cli/inject/options.ts';
import { deployment, documentsOf, injectAll, stream } from './manifests.ts';

type Fields = Record<string, unknown>;
interface Spec {
  readonly initContainers: readonly [Fields];
  readonly containers: readonly [Fields & { volumeMounts: object[] }];
  readonly volumes: readonly [{ readonly secret: Fields }];
}

const mount =
  (name: string) =>
  ({ containers: [web] }: Spec) => {
    web.volumeMounts = [...(web.volumeMounts ?? []), { name, mountPath: '/x' }];
  };
const addToSigner =
  (fields: Fields) =>
  ({ initContainers: [signer] }: Spec) =>
    Object.assign(signer, fields);
const callers = [
  { name: 'a', containers: ['web'] },
  { name: 'b', containers: ['other'] },
];

it.each<[string, (spec: Spec) => void, Partial<InjectOptions>?]>([
  ['a mount of the keys in the application', mount('signer-keys')],
  ['a mount of the configuration', mount('signer-config')],
  ['a second mount of the socket that can be written', mount('signer-socket')],
  ['a socket in a container that gets none', mount('signer-socket'), { containers: ['other'] }],
  ['the socket of another caller', mount('signer-socket-b'), { callers }],
  ['another command of the signer', addToSigner({ command: ['sh'] })],
  ['more variables of the signer', addToSigner({ envFrom: [{ configMapRef: { name: 'x' } }] })],
  ['a hook of the signer', addToSigner({ lifecycle: { postStart: { exec: { command: ['x'] } } } })],
  [
    'a choice of the files of the Secret',
    ({ volumes: [{ secret }] }) => Object.assign(secret, { items: [{ key: 'a', path: 'b' }] }),
  ],
])('%s', (_, change, options = {}) => {
  const containers = [{ name: 'web' }, { name: 'other' }];
  const once = documentsOf(injectAll(deployment({ containers }), options).text);
  const changed = structuredClone(once);
  const [object] = changed as [{ spec: { template: { spec: Spec } } }];
  change(object.spec.template.spec);
  const { text, summary } = inject(stream(...changed), { all: true, ...options });
  expect(summary).toMatchObject([{ action: 'updated' }]);
  expect(documentsOf(text)).toEqual(once);
});

it.each<[string, Fields]>([
  ['a volume of the application', { volumes: ['data'] }],
  ['a volume whose name begins alike', { volumes: ['signer-keys-of-the-shop'] }],
  ['another switch of the pod', { pod: ['hostUsers'] }],
])('an annotation that names %s is refused, and nothing is removed', (_, forged) => {
  const injected = JSON.stringify({ version: '1', digest: '2', ...forged });
  const annotations = { 'sidecar-signer/injected': injected };
  const volumes = [{ name: 'data' }, { name: 'signer-keys-of-the-shop' }];
  const spec = { hostUsers: false, containers: [{ name: 'web' }], volumes };
  const template = { metadata: { annotations }, spec };
  const object = { apiVersion: 'apps/v1', kind: 'Deployment', spec: { template } };
  for (const remove of [false, true]) {
    const { text, summary } = inject(stream(object), { all: true, force: true, remove });
    expect(text).toBe('');
    expect(summary).toMatchObject([
      { action: 'refused', reasons: [expect.stringMatching(/injected cannot be read/)] },
    ]);
  }
});
