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
