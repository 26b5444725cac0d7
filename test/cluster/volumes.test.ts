import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../support/signer.ts';
import {
  buildNeighbour,
  createNamespace,
  type Namespace,
  obstacle,
  patienceMs,
  secret,
  signerPod,
} from './kubernetes.ts';

const message = 'order 4711';
const tag = (key: Buffer) => createHmac('sha256', key).update(message).digest('hex');
const [plain, grouped, late, fixed, chosen] = [0, 0, 0, 0, 0].map(() => randomBytes(32)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];

interface Followed {
  readonly added?: readonly string[];
  readonly removed?: readonly string[];
  readonly modified?: readonly string[];
  readonly names?: readonly string[];
  readonly at: string;
  readonly swappedAt: string;
  readonly problem?: string;
}

/** Whose files uid 65532 can read, by the pod's fsGroup and the volume's mode. */
const modes = [
  { name: 'mode-default', fsGroup: undefined, defaultMode: undefined, readable: true },
  { name: 'mode-0444', fsGroup: undefined, defaultMode: 0o444, readable: true },
  { name: 'mode-0400', fsGroup: undefined, defaultMode: 0o400, readable: false },
  { name: 'mode-0440', fsGroup: undefined, defaultMode: 0o440, readable: false },
  { name: 'group-0440', fsGroup: 65532, defaultMode: 0o440, readable: true },
  // The kubelet makes it 0440.
  { name: 'group-0400', fsGroup: 65532, defaultMode: 0o400, readable: true },
  { name: 'other-group-0440', fsGroup: 4711, defaultMode: 0o440, readable: true },
] as const;

describe.skipIf(obstacle !== undefined)(
  `a secret volume of a real kubelet${obstacle === undefined ? '' : ` (${obstacle})`}`,
  { timeout: patienceMs * 2 },
  () => {
    let namespace: Namespace;

    beforeAll(async () => {
      buildNeighbour();
      namespace = await createNamespace();
      const group = { securityContext: { fsGroup: 65532 }, follower: true as const };
      const items = [{ key: 'orders', path: 'my-group/orders' }];
      namespace.apply(
        secret('plain', { orders: plain, '.dotfile': randomBytes(32) }),
        secret('grouped', { orders: grouped, unlisted: randomBytes(32) }),
        secret('fixed', { orders: fixed }, { immutable: true }),
        secret('chosen', { orders: chosen }),
        signerPod('plain', { ...group, keys: { secret: { secretName: 'plain', defaultMode: 0o440 } } }),
        signerPod('projected', {
          ...group,
          keys: {
            projected: {
              defaultMode: 0o440,
              sources: [{ secret: { name: 'grouped', items } }, { secret: { name: 'late', optional: true } }],
            },
          },
        }),
        signerPod('immutable', { ...group, keys: { secret: { secretName: 'fixed' } } }),
        signerPod('chosen', {
          ...group,
          keys: { secret: { secretName: 'chosen', items: [{ key: 'orders', path: 'orders', mode: 0o440 }] } },
        }),
        ...modes.map(({ name, fsGroup, defaultMode }) =>
          signerPod(name, {
            keys: { secret: { secretName: 'fixed', ...(defaultMode !== undefined && { defaultMode }) } },
            securityContext: fsGroup === undefined ? {} : { fsGroup },
          }),
        ),
      );
    }, patienceMs);

    afterAll(() => namespace?.[Symbol.asyncDispose]());

    const sign = (pod: string, name: string) =>
      namespace
        .kubectl(
          ['exec', '--stdin', pod, '--container=signer', '--', '/sidecar-signer', 'sign', name],
          message,
        )
        .trim();
    const lines = <T>(pod: string, container: string) =>
      namespace
        .logs(pod, container)
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as T);
    const followed = (pod: string) => lines<Followed>(pod, 'follower');
    const follows = (pod: string, change: Partial<Followed>) =>
      waitFor(
        () =>
          followed(pod).find((each) =>
            Object.entries(change).every(
              ([field, names]) => JSON.stringify(each[field as keyof Followed]) === JSON.stringify(names),
            ),
          ),
        patienceMs,
      );
    const edit = (object: object, pod: string) => {
      namespace.apply(object);
      namespace.nudge(pod);
    };

    test('is followed by the library and by the signer when kubectl edits the Secret, at once after the swap', async () => {
      await namespace.ready('plain');
      expect(sign('plain', 'orders')).toBe(tag(plain));
      expect(sign('plain', '.dotfile')).toMatch(/^[0-9a-f]{64}$/);
      const delays: { library: number; signer: number }[] = [];
      for (let round = 0; round < 5; round++) {
        const before = followed('plain').length;
        edit(secret('plain', { orders: randomBytes(32) }), 'plain');
        const change = await waitFor(() => followed('plain')[before], patienceMs);
        expect(change).toMatchObject({ modified: ['orders'] });
        const swapped = Date.parse(change.swappedAt);
        const loaded = await waitFor(
          () =>
            lines<{ msg: string; time: string }>('plain', 'signer').find(
              ({ msg, time }) => msg === 'keys loaded' && Date.parse(time) >= swapped,
            ),
          patienceMs,
        );
        delays.push({ library: Date.parse(change.at) - swapped, signer: Date.parse(loaded.time) - swapped });
      }
      console.log(`milliseconds from the kubelet's swap to the new key: ${JSON.stringify(delays)}`);
      // By the poll it would be up to five seconds; the target is 0.1, on a machine that does nothing else.
      const median = delays.map(({ signer }) => signer).sort((a, b) => a - b)[2];
      expect(median).toBeLessThan(2000);
      expect(sign('plain', 'orders')).not.toBe(tag(plain));
    });

    test('is followed when a key is added to and removed from the Secret', async () => {
      await namespace.ready('plain');
      const added = randomBytes(32);
      namespace.kubectl([
        'patch',
        'secret',
        'plain',
        '--type=merge',
        '--patch',
        JSON.stringify({ data: { added: added.toString('base64') } }),
      ]);
      namespace.nudge('plain');
      await follows('plain', { added: ['added'] });
      await waitFor(
        () => (attempt(() => sign('plain', 'added')) === tag(added) ? true : undefined),
        patienceMs,
      );
      namespace.kubectl([
        'patch',
        'secret',
        'plain',
        '--type=merge',
        '--patch',
        JSON.stringify({ data: { added: null } }),
      ]);
      namespace.nudge('plain');
      await follows('plain', { removed: ['added'] });
      await waitFor(
        () => (attempt(() => sign('plain', 'added'))?.includes('unknown_key') ? true : undefined),
        patienceMs,
      );
    });

    test('names a projected item by its path, and takes the optional Secret of the volume when it comes', async () => {
      await namespace.ready('projected');
      expect(sign('projected', 'my-group.orders')).toBe(tag(grouped));
      expect(attempt(() => sign('projected', 'unlisted'))).toContain('unknown_key');
      edit(secret('late', { late }), 'projected');
      expect(await follows('projected', { added: ['late'] })).toMatchObject({
        names: ['late', 'my-group/orders'],
      });
      await waitFor(
        () => (attempt(() => sign('projected', 'late')) === tag(late) ? true : undefined),
        patienceMs,
      );
    });

    test('keeps an immutable Secret, which the API server does not let anyone change', async () => {
      await namespace.ready('immutable');
      expect(() =>
        namespace.apply(secret('fixed', { orders: randomBytes(32) }, { immutable: true })),
      ).toThrow(/immutable/);
      expect(sign('immutable', 'orders')).toBe(tag(fixed));
      expect(followed('immutable')).toHaveLength(1);
    });

    test('keeps the key when an item vanishes from the Secret, and when the Secret is deleted', async () => {
      await namespace.ready('chosen');
      edit(secret('chosen', { other: randomBytes(32) }), 'chosen');
      await waitFor(
        () => namespace.events('chosen').find((each) => /references non-existent secret key/.test(each)),
        patienceMs,
      );
      expect(sign('chosen', 'orders')).toBe(tag(chosen));
      namespace.kubectl(['delete', 'secret', 'chosen']);
      namespace.nudge('chosen');
      await waitFor(
        () => namespace.events('chosen').find((each) => /secret "chosen" not found/.test(each)),
        patienceMs,
      );
      expect(sign('chosen', 'orders')).toBe(tag(chosen));
      expect(followed('chosen')).toHaveLength(1);
    });

    test.each(modes)('$name: readable by the signer is $readable', async ({ name, readable }) => {
      if (readable) {
        await namespace.ready(name);
        expect(sign(name, 'orders')).toBe(tag(fixed));
      } else {
        const refused = await waitFor(
          () =>
            (attempt(() => namespace.logs(name)) ?? '')
              .split('\n')
              .find((line) => line.includes('cannot be read by uid 65532')),
          patienceMs,
        );
        expect(refused).toContain('set fsGroup');
      }
    });
  },
);

/** What a command prints, or what it fails with. */
function attempt(run: () => string): string | undefined {
  try {
    return run();
  } catch (error) {
    return error instanceof Error ? error.message : undefined;
  }
}
