/** Every kind of secret volume of a real kubelet, edited with kubectl, as the library and the signer see it. */

import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Followed } from './follow.ts';
import { createNamespace, eventually, type Namespace } from './kubernetes.ts';
import { followerScript, type SignerPodOptions, secret, secretData, signerPod } from './signer-pod.ts';

const message = 'order 4711';
const tag = (key: Buffer) => createHmac('sha256', key).update(message).digest('hex');
const key = () => randomBytes(32);
const keys = { plain: key(), grouped: key(), late: key(), fixed: key(), narrowed: key(), deleted: key() };

interface LogLine {
  readonly time: string;
  readonly msg: string;
}

/** Whether the signer, as uid 65532 and gid 65532, can read the key, by the pod's fsGroup and the volume's mode. */
const modes = [
  { name: 'default-mode', fsGroup: undefined, defaultMode: undefined, readable: true },
  { name: 'mode-0440', fsGroup: undefined, defaultMode: 0o440, readable: false },
  // The kubelet makes it 0440.
  { name: 'group-0400', fsGroup: 65532, defaultMode: 0o400, readable: true },
  { name: 'other-group-0440', fsGroup: 4711, defaultMode: 0o440, readable: true },
] as const;

describe('a secret volume of a real kubelet', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await createNamespace();
    const followed = (name: string, source: SignerPodOptions['keys']) =>
      signerPod(name, { keys: source, securityContext: { fsGroup: 65532 }, followed: true });
    const items = (path: string) => [{ key: 'orders', path, mode: 0o440 }];
    namespace.apply(
      followerScript(),
      secret('plain', { orders: keys.plain, '.dotfile': key() }),
      secret('grouped', { orders: keys.grouped, unlisted: key() }),
      secret('fixed', { orders: keys.fixed }, { immutable: true }),
      secret('narrowed', { orders: keys.narrowed }),
      secret('deleted', { orders: keys.deleted }),
      followed('plain', { secret: { secretName: 'plain', defaultMode: 0o440 } }),
      followed('projected', {
        projected: {
          defaultMode: 0o440,
          sources: [
            { secret: { name: 'grouped', items: items('my-group/orders') } },
            { secret: { name: 'late', optional: true } },
          ],
        },
      }),
      followed('immutable', { secret: { secretName: 'fixed' } }),
      followed('narrowed', { secret: { secretName: 'narrowed', items: items('orders') } }),
      followed('deleted', { secret: { secretName: 'deleted' } }),
      ...modes.map(({ name, fsGroup, defaultMode }) =>
        signerPod(name, {
          keys: { secret: { secretName: 'fixed', ...(defaultMode !== undefined && { defaultMode }) } },
          securityContext: fsGroup === undefined ? {} : { fsGroup },
        }),
      ),
    );
    await Promise.all(
      ['plain', 'projected', 'immutable', 'narrowed', 'deleted'].map((pod) => namespace.ready(pod)),
    );
  });

  afterAll(() => namespace?.[Symbol.asyncDispose]());

  const sign = (pod: string, name: string) =>
    namespace.exec(pod, 'signer', ['/sidecar-signer', 'sign', name], message).toString().trim();
  const followed = (pod: string) => namespace.logged<Followed>(pod, 'follower');
  /** The line of the follower, and that of the signer, for the generation of the volume that comes after `count`. */
  const following = async (pod: string, count: number) => {
    const loads = async () =>
      (await namespace.logged<LogLine>(pod)).filter(({ msg }) => msg === 'keys loaded')[count];
    const [library, signer] = await Promise.all([
      eventually(async () => (await followed(pod))[count]),
      eventually(loads),
    ]);
    return { library, signer };
  };
  const edit = async (pod: string, object: object) => {
    const count = (await followed(pod)).length;
    namespace.apply(object);
    await namespace.nudge(pod);
    return following(pod, count);
  };

  test('is followed by the library and by the signer when kubectl edits the Secret, at once after the swap', async () => {
    expect(sign('plain', 'orders')).toBe(tag(keys.plain));
    expect(sign('plain', '.dotfile')).toMatch(/^[0-9a-f]{64}$/);
    /** Nine edits: the median of the milliseconds from the kubelet's swap to the new key, of the slower of the two. */
    const measure = async (): Promise<number> => {
      const delays: { readonly library: number; readonly signer: number }[] = [];
      for (let round = 0; round < 9; round++) {
        const fresh = key();
        const edited = secret('plain', { orders: fresh, '.dotfile': key() });
        const { library, signer } = await edit('plain', edited);
        expect(library.modified).toEqual(['.dotfile', 'orders']);
        expect(sign('plain', 'orders')).toBe(tag(fresh));
        const since = (at: number) => Math.round(at - library.swappedAt);
        delays.push({ library: since(library.at), signer: since(Date.parse(signer.time)) });
      }
      console.log(`milliseconds from the kubelet's swap to the new key: ${JSON.stringify(delays)}`);
      const median = (who: 'library' | 'signer') =>
        delays.map((each) => each[who]).sort((a, b) => a - b)[delays.length >> 1] ?? Number.NaN;
      return Math.max(median('library'), median('signer'));
    };
    // By the poll it would be two seconds. What else the machine does can only make it slower, so the best of three counts.
    let best = await measure();
    for (let more = 2; more > 0 && best >= 100; more--) best = Math.min(best, await measure());
    expect(best).toBeLessThan(100);
  });

  test('is followed when a key is added to and removed from the Secret', async () => {
    const added = key();
    const patched = async (data: object) => {
      const count = (await followed('plain')).length;
      namespace.kubectl(['patch', 'secret', 'plain', '--type=merge', '--patch', JSON.stringify({ data })]);
      await namespace.nudge('plain');
      return (await following('plain', count)).library;
    };
    expect(await patched(secretData({ added }))).toMatchObject({ added: ['added'], removed: [] });
    expect(sign('plain', 'added')).toBe(tag(added));
    expect(await patched({ added: null })).toMatchObject({ added: [], removed: ['added'] });
    expect(() => sign('plain', 'added')).toThrow(/unknown_key/);
  });

  test('names a projected item by its path, and takes the optional Secret of the volume when it comes', async () => {
    expect(sign('projected', 'my-group.orders')).toBe(tag(keys.grouped));
    expect(() => sign('projected', 'unlisted')).toThrow(/unknown_key/);
    const { library } = await edit('projected', secret('late', { late: keys.late }));
    expect(library).toMatchObject({ added: ['late'], names: ['late', 'my-group/orders'] });
    expect(sign('projected', 'late')).toBe(tag(keys.late));
    const fresh = key();
    const grouped = secret('grouped', { orders: fresh, unlisted: key() });
    expect((await edit('projected', grouped)).library.modified).toEqual(['my-group/orders']);
    expect(sign('projected', 'my-group.orders')).toBe(tag(fresh));
  });

  test('keeps an immutable Secret, which the API server lets nobody change', async () => {
    expect(() => namespace.apply(secret('fixed', { orders: key() }, { immutable: true }))).toThrow(
      /immutable/,
    );
    expect(sign('immutable', 'orders')).toBe(tag(keys.fixed));
    expect(await followed('immutable')).toHaveLength(1);
  });

  test.each([
    ['an item vanishes from the Secret', 'narrowed', /references non-existent secret key/],
    ['the Secret is deleted', 'deleted', /secret "deleted" not found/],
  ] as const)('keeps the key when %s', async (_, pod, event) => {
    if (pod === 'narrowed') namespace.apply(secret(pod, { other: key() }));
    else namespace.kubectl(['delete', 'secret', pod]);
    await namespace.nudge(pod);
    await eventually(async () => (await namespace.events(pod)).find((each) => event.test(each)));
    expect(sign(pod, 'orders')).toBe(tag(keys[pod]));
    expect(await followed(pod)).toHaveLength(1);
    // And it is followed again once it is back.
    const fresh = key();
    const { library } = await edit(pod, secret(pod, { orders: fresh }));
    expect(library.modified).toEqual(['orders']);
    expect(sign(pod, 'orders')).toBe(tag(fresh));
  });

  test.each(modes)('$name: readable by the signer is $readable', async ({ name, readable }) => {
    if (readable) {
      await namespace.ready(name);
      expect(sign(name, 'orders')).toBe(tag(keys.fixed));
    } else {
      const refusal = /cannot be read by uid 65532.*set fsGroup/;
      const log = await eventually(async () => {
        const printed = await namespace.logs(name);
        return refusal.test(printed) ? printed : undefined;
      });
      expect(log).toMatch(refusal);
    }
  });
});
