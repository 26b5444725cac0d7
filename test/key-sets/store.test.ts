import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { everyFile } from '../../src/config/defaults.ts';
import { keyId } from '../../src/signing/mac.ts';
import {
  configurationOf,
  configure,
  createKeyStoreOfTest,
  createTestStore,
  load,
  lose,
  manualClocks,
  problemsOf,
  readingOf,
} from '../support/keys.ts';
import { leaks } from '../support/leaks.ts';

const newKey = (length = 32) => Buffer.concat([Buffer.of(0), randomBytes(length - 1)]);
const none = () => undefined;

describe('the first snapshot', () => {
  it('is made when there are keys and a configuration, keys first', async () => {
    const { store, put, configure } = createTestStore({ yaml: 'later' });
    await put({ k: newKey() });
    expect(store.current).toBeUndefined();
    await configure('keys: { k: }');
    expect(store.current?.generation).toBe(1);
  });

  it('is made when there are keys and a configuration, configuration first', async () => {
    const { store, put, configure } = createTestStore({ yaml: 'later' });
    await configure('keys: { k: }');
    expect(store.current).toBeUndefined();
    await put({ k: newKey() });
    expect(store.current?.generation).toBe(1);
  });

  it('is made when every directory is there, and holds the files of all', async () => {
    const store = createKeyStoreOfTest({
      directories: ['/a', '/b'],
      configuration: everyFile,
      variable: none,
    });
    await load(store, '/b', readingOf({ b: newKey() }));
    expect(store.current).toBeUndefined();
    await load(store, '/a', readingOf({ a: newKey() }));
    expect([...(store.current?.keySets.keys() ?? [])]).toEqual(['a', 'b']);
  });

  it('waits for no directory when all keys are variables', async () => {
    const { store, configure } = createTestStore({ yaml: 'later', env: { K: newKey().toString('hex') } });
    await configure('keys: { k: { env: K, encoding: hex } }');
    expect([...(store.current?.keySets.keys() ?? [])]).toEqual(['k']);
  });

  it('waits for the directory when one key is a file', async () => {
    const { store, configure } = createTestStore({ yaml: 'later', env: { K: newKey().toString('hex') } });
    await configure('keys: { k: { env: K, encoding: hex }, f: }');
    expect(store.current).toBeUndefined();
  });

  it('names the directory of a key that is refused, where there are several', async () => {
    const store = createKeyStoreOfTest({
      directories: ['/a', '/b'],
      configuration: everyFile,
      variable: none,
    });
    await load(store, '/a', readingOf({ k: Buffer.alloc(32) }));
    expect(await problemsOf(load(store, '/b', readingOf({ other: newKey() })))).toEqual([
      expect.stringMatching(/^"k" in \/a is one byte repeated; /),
    ]);
  });

  it('is told of also when it is made by a directory that can be read again', async () => {
    const accepted: object[] = [];
    const store = createKeyStoreOfTest({
      directories: ['/a', '/b'],
      configuration: everyFile,
      variable: none,
      onAccepted: (source) => accepted.push(source),
    });
    await load(store, '/a', readingOf({ a: newKey() }));
    const a = store.directories.get('/a');
    const content = a?.inUse;
    await lose(store, '/a');
    await load(store, '/b', readingOf({ b: newKey() }));
    expect(store.current).toBeUndefined();
    accepted.length = 0;
    if (a !== undefined) await store.offer(a, content);
    expect([...(store.current?.keySets.keys() ?? [])]).toEqual(['a', 'b']);
    expect(accepted).toEqual([a]);
  });

  it('may not have one name from two directories', async () => {
    const store = createKeyStoreOfTest({
      directories: ['/a', '/b'],
      configuration: everyFile,
      variable: none,
    });
    await load(store, '/a', readingOf({ k: newKey() }));
    expect(await problemsOf(load(store, '/b', readingOf({ k: newKey() })))).toEqual([
      '"k" in /a and /b is the name of two files; rename one of them',
    ]);
  });
});

describe('keys and configuration that disagree', () => {
  /** Last good: key set `a`. */
  const begin = async () => {
    const test = createTestStore({ yaml: 'keys: { a: }' });
    await test.put({ a: newKey() });
    return { ...test, names: () => [...(test.store.current?.keySets.keys() ?? [])] };
  };

  it('leave the last good snapshot as it is, and a fix of the keys makes the next', async () => {
    const { store, put, configure, names } = await begin();
    const lastGood = store.current;
    expect(await problemsOf(configure('keys: { a: , b: }'))).toEqual([expect.stringContaining('"b"')]);
    expect(store.current).toBe(lastGood);
    await put({ a: newKey(), b: newKey() });
    expect(names()).toEqual(['a', 'b']);
  });

  it('leave the last good snapshot as it is, and a fix of the configuration makes the next', async () => {
    const { store, configure, put, names } = await begin();
    const lastGood = store.current;
    expect(await problemsOf(put({ b: newKey() }))).toEqual([expect.stringContaining('"a" has no file')]);
    expect(store.current).toBe(lastGood);
    await configure('keys: { b: }');
    expect(names()).toEqual(['b']);
  });

  it('are judged by the newest of both, so that what was refused is used once it fits', async () => {
    const { configure, put, names } = await begin();
    await problemsOf(configure('keys: { b: }'));
    await problemsOf(put({ c: newKey() }));
    await configure('keys: { a: }');
    expect(names()).toEqual(['a']);
    await configure('keys: { c: }');
    expect(names()).toEqual(['c']);
  });

  it('hold up no key: a new one is used as the last good configuration has it', async () => {
    const { store, put, configure, names } = await begin();
    const [before] = store.current?.keySets.get('a')?.keys ?? [];
    await problemsOf(configure('keys: { a: { maxMessageBytes: 7 }, b: }'));
    await put({ a: newKey() });
    const { settings, keys } = store.current?.keySets.get('a') ?? {};
    expect(keys?.[0].id).not.toBe(before?.id);
    expect([settings?.policy.maxMessageBytes, names()]).toEqual([Number.POSITIVE_INFINITY, ['a']]);
    await put({ a: newKey(), b: newKey() });
    expect(store.current?.keySets.get('a')?.settings.policy.maxMessageBytes).toBe(7);
    expect(names()).toEqual(['a', 'b']);
  });

  it('hold up no policy: a new one is in force with the last good keys', async () => {
    const { store, put, configure } = await begin();
    const keyIds = () => store.current?.keySets.get('a')?.keys.map(({ id }) => id);
    const before = keyIds();
    await problemsOf(put({ a: 'short' }));
    await configure('keys: { a: { allow: [verify] } }');
    expect(store.current?.keySets.get('a')?.settings.policy.allow).toEqual(['verify']);
    expect(keyIds()).toEqual(before);
  });

  it('are forgotten when they are withdrawn: what they waited for brings neither back', async () => {
    const { store, put, configure, names } = await begin();
    const key = newKey();
    await problemsOf(configure('keys: { a: { maxMessageBytes: 7 }, b: }'));
    void lose(store);
    await put({ a: key, b: newKey() });
    expect(names()).toEqual(['a']);
    expect(store.current?.keySets.get('a')?.settings.policy.maxMessageBytes).toBe(Number.POSITIVE_INFINITY);
    await problemsOf(put({ leaked: newKey() }));
    void lose(store, '/etc/signer/keys');
    expect(await problemsOf(configure('keys: { leaked: }'))).toEqual([
      expect.stringContaining('"leaked" has no file of its name'),
    ]);
    expect(names()).toEqual(['a']);
  });

  it.each([0, 1, 2, 3, 4, 5])(
    'are forgotten also when they are withdrawn as a snapshot is built (%i)',
    async (turns) => {
      const { store, put, configure, names } = await begin();
      await problemsOf(configure('keys: { a: { maxMessageBytes: 7 }, b: }'));
      const fresh = put({ a: newKey(), b: newKey() });
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      const inTime = store.current?.keySets.has('b') === false;
      void lose(store);
      await fresh;
      expect(names()).toEqual(inTime ? ['a'] : ['a', 'b']);
      // And nothing is lost that is in force.
      await put({ a: newKey(), b: newKey() });
      expect(names()).toEqual(inTime ? ['a'] : ['a', 'b']);
    },
  );

  it('that were withdrawn before there was a snapshot do not make the first', async () => {
    const { store, put, configure } = createTestStore({ yaml: 'later' });
    await configure('keys: { a: }');
    await problemsOf(put({ a: 'short' }));
    void lose(store, '/etc/signer/keys');
    await configure('keys: { a: { allowWeakKey: true } }');
    expect(store.current).toBeUndefined();
    await put({ a: newKey() });
    expect(store.current?.keySets.size).toBe(1);
  });

  it('leave all as it is when a configuration wants files of a directory that is not there', async () => {
    const env = { K: newKey().toString('hex') };
    const { store, put, configure } = createTestStore({ yaml: 'later', env });
    await configure('keys: { k: { env: K, encoding: hex } }');
    const policy = () => store.current?.keySets.get('k')?.settings.policy.allow;
    const verifyOnly = 'keys: { k: { env: K, encoding: hex, allow: [verify] }, f: }';
    expect(await problemsOf(configure(verifyOnly))).toEqual([
      'the configuration takes keys from files, and /etc/signer/keys could not be read yet; mount it there',
    ]);
    expect(policy()).toEqual(['sign', 'verify']);
    await put({ f: newKey() });
    expect(policy()).toEqual(['verify']);
  });

  it('make one snapshot when they change together, and never half of it', async () => {
    const { store, put, configure } = await begin();
    const seen = new Set<string>();
    const look = () =>
      seen.add(
        [...(store.current?.keySets.values() ?? [])]
          .map(({ name, settings }) => `${name} ${settings.policy.maxMessageBytes}`)
          .join(),
      );
    look();
    const changes = Promise.allSettled([
      put({ b: newKey() }),
      configure('keys: { b: { maxMessageBytes: 7 } }'),
    ]);
    for (let turn = 0; turn < 50; turn++) {
      look();
      await new Promise(setImmediate);
    }
    await changes;
    look();
    expect([...seen]).toEqual(['a Infinity', 'b 7']);
  });

  it('count no generation', async () => {
    const { store, put, configure } = await begin();
    await problemsOf(put({ b: newKey() }));
    await problemsOf(put({ c: newKey() }));
    await configure('keys: { c: }');
    expect(store.current?.generation).toBe(2);
  });
});

describe('whatever comes, fits, is refused and is withdrawn', () => {
  /** What a source holds: versions count up, so that a snapshot shows of what it was made. */
  interface Held {
    readonly version: number;
    readonly names: readonly string[];
    /** Which key set of the configuration has `alsoVerify: [old]`. */
    readonly also?: string | undefined;
    /** With a key that is too short. */
    readonly bad?: boolean;
  }
  type Source = '/one' | '/two' | 'configuration';
  type World = Readonly<Record<Source, Held>>;
  const choices = {
    '/one': [['a'], ['b'], ['a', 'b'], ['a', 'old']],
    '/two': [['x'], ['y'], ['x', 'old']],
    configuration: [['a', 'x'], ['b', 'x'], ['a', 'b', 'y'], ['x']],
  } as const;
  const sources = ['configuration', '/one', '/two'] as const;
  const source = fc.constantFrom<Source>('/one', '/two', 'configuration');
  const step = fc.record({
    source,
    choice: fc.nat(11),
    bad: fc.boolean(),
    withdrawn: fc.boolean(),
    also: fc.option(fc.constantFrom(0, 1), { nil: undefined }),
  });

  const holdersOf = (world: World, name: string) =>
    (['/one', '/two'] as const).map((each) => world[each]).filter(({ names }) => names.includes(name));
  const fits = (world: World) => {
    const { names, also } = world.configuration;
    // The file of alsoVerify may be missing.
    const [old, another] = also === undefined ? [] : holdersOf(world, 'old');
    return (
      names.every((name) => holdersOf(world, name).some(({ bad }) => !bad)) &&
      !old?.bad &&
      another === undefined
    );
  };
  const keyOf = (version: number, name: string) => Buffer.from(`${version} ${name}`.padEnd(32, '\0'));

  it('what is in force was accepted last, and the newest is as soon as it fits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const store = createKeyStoreOfTest({
          directories: ['/one', '/two'],
          variable: none,
        });
        const apply = (at: Source, { version, names, bad, also }: Held) => {
          if (at === 'configuration') {
            const keys = names.map(
              (name) =>
                `${name}: { maxMessageBytes: ${version}, retainPreviousSeconds: 0, ${name === also ? 'alsoVerify: [old]' : ''} }`,
            );
            return configure(store, configurationOf(`keys: { ${keys.join()} }`));
          }
          const content = names.map((name) => [name, bad ? 'short' : keyOf(version, name)]);
          return load(store, at, readingOf(Object.fromEntries(content)));
        };
        let version = 1;
        let inForce: World = {
          '/one': { version, names: ['a'] },
          '/two': { version, names: ['x'] },
          configuration: { version, names: ['a', 'x'] },
        };
        let newest = inForce;
        /** Everything that is newest, or else what fits alone: the source that changed, and then the others. */
        const settle = (changed: Source) => {
          for (;;) {
            const alone = [changed, ...sources].map((at) => ({ ...inForce, [at]: newest[at] }));
            const next = [newest, ...alone].find(
              (world) => fits(world) && sources.some((at) => world[at] !== inForce[at]),
            );
            if (next === undefined) return;
            inForce = next;
          }
        };
        for (const at of ['/one', '/two', 'configuration'] as const) await apply(at, inForce[at]);
        for (const { source: at, choice, bad, withdrawn, also } of steps) {
          const names = choices[at][choice % choices[at].length] ?? [];
          const more =
            at === 'configuration' ? { also: also === undefined ? undefined : names[also] } : bad && { bad };
          const next: Held = { version: ++version, names, ...more };
          newest = { ...newest, [at]: next };
          settle(at);
          const accepted = await apply(at, next).then(
            () => true,
            () => false,
          );
          expect(accepted).toBe(inForce[at] === next);
          if (withdrawn) {
            await lose(store, at === 'configuration' ? undefined : at);
            newest = { ...newest, [at]: inForce[at] };
            settle(at);
          }
          const sets = [...(store.current?.keySets.values() ?? [])];
          expect(sets.map(({ name }) => name).sort()).toEqual([...inForce.configuration.names].sort());
          for (const { name, settings, keys } of sets) {
            expect(settings.policy.maxMessageBytes).toBe(inForce.configuration.version);
            const [holder] = holdersOf(inForce, name);
            const [old] = inForce.configuration.also === name ? holdersOf(inForce, 'old') : [];
            const expected = [
              keyOf(holder?.version ?? 0, name),
              ...(old === undefined ? [] : [keyOf(old.version, 'old')]),
            ];
            expect(keys.map(({ id }) => id)).toEqual(expected.map((key) => keyId(key)));
          }
        }
        store.drop();
      }),
      { numRuns: 200 },
    );
  });
});

describe('loads that overlap', () => {
  it('are carried out in order, and the last one stays', async () => {
    const { store, put } = createTestStore();
    await Promise.all([1, 2, 3, 4].map((n) => put({ [`k${n}`]: newKey(), other: newKey() })));
    expect([...(store.current?.keySets.keys() ?? [])]).toEqual(['k4', 'other']);
  });

  it('do not take a good one with them when one is bad', async () => {
    const { store, put } = createTestStore();
    const outcomes = await Promise.allSettled([put({ k: 'short' }), put({ k: newKey() })]);
    expect(outcomes[1]?.status).toBe('fulfilled');
    expect(store.current?.keySets.size).toBe(1);
  });
});

describe('a variable', () => {
  it('is asked for once, and kept over reloads of everything', async () => {
    const asked: string[] = [];
    const key = newKey();
    const store = createKeyStoreOfTest({
      directories: ['/keys'],
      configuration: configurationOf('keys: { k: { env: K, encoding: hex } }'),
      variable: (name) => {
        asked.push(name);
        return asked.length === 1 ? Buffer.from(key.toString('hex')) : undefined;
      },
    });
    await load(store, '/keys', readingOf({ x: newKey() }));
    const id = store.current?.keySets.get('k')?.keys[0].id;
    await load(store, '/keys', readingOf({ x: newKey() }));
    await configure(store, configurationOf('keys: { k: { env: K, encoding: hex, maxMessageBytes: 9 }, x: }'));
    expect(asked).toEqual(['K']);
    expect(store.current?.keySets.get('k')?.keys.map((each) => each.id)).toEqual([id]);
  });

  it('is overwritten once it is taken', async () => {
    const value = Buffer.from(newKey().toString('hex'));
    const store = createKeyStoreOfTest({
      directories: [],
      configuration: configurationOf('keys: { k: { env: K, encoding: hex } }'),
      variable: () => value,
    });
    await configure(store, configurationOf('keys: { k: { env: K, encoding: hex } }'));
    expect(store.current?.keySets.size).toBe(1);
    expect(value.every((byte) => byte === 0)).toBe(true);
  });

  it('is not asked for unless a key set needs it', async () => {
    const asked: string[] = [];
    const store = createKeyStoreOfTest({
      directories: ['/keys'],
      configuration: everyFile,
      variable: (name) => {
        asked.push(name);
        return undefined;
      },
    });
    await load(store, '/keys', readingOf({ PATH: newKey() }));
    expect(asked).toEqual([]);
  });
});

describe('secrecy', () => {
  it('overwrites the bytes of a reading, whether it is taken or refused', async () => {
    const { store } = createTestStore();
    const [good, bad] = [readingOf({ k: newKey() }), readingOf({ k: newKey(), l: 'too short' })];
    await load(store, '/etc/signer/keys', good);
    await problemsOf(load(store, '/etc/signer/keys', bad));
    const bytes = [good, bad].flatMap(({ files }) => [...files.values()].flatMap((each) => [...each]));
    expect(bytes.length).toBeGreaterThan(64);
    expect(new Set(bytes)).toEqual(new Set([0]));
  });

  it('shows no key to an inspector, to JSON, or in a snapshot', async () => {
    const key = newKey();
    const weak = Buffer.from('weak-partner-key');
    const { store, put } = createTestStore({
      yaml: 'keys: { k: , w: { allowWeakKey: true }, e: { env: E } }',
      env: { E: key.toString('base64url') },
    });
    await put({ k: newKey(), w: weak, unlisted: key });
    await put({ k: key.subarray(1), w: weak, unlisted: key });
    const shown = [
      inspect(store, { depth: Infinity, showHidden: true }),
      inspect(store.current, { depth: Infinity, showHidden: true }),
      JSON.stringify(store.current),
      JSON.stringify([...(store.current?.keySets.values() ?? [])]),
    ].join('\n');
    expect(shown).toContain('maxMessageBytes');
    for (const secret of [key, weak]) expect(leaks(shown, secret)).toEqual([]);
  });

  it('drops every key for good', async () => {
    const { store, put } = createTestStore();
    await put({ k: newKey() });
    const late = put({ k: newKey() });
    store.drop();
    await late;
    await put({ k: newKey() });
    await configure(store, everyFile);
    expect(store.current).toBeUndefined();
  });

  it('publishes nothing that was being loaded when the keys were dropped', async () => {
    const store = createKeyStoreOfTest({
      directories: [],
      variable: () => {
        store.drop();
        return newKey();
      },
    });
    await configure(store, configurationOf('keys: { k: { env: K } }'));
    expect(store.current).toBeUndefined();
  });
});

describe('a retained key', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const rotated = async (fields: string, rotations = 1) => {
    const clocks = manualClocks();
    const test = createTestStore({ yaml: `keys: { k: { ${fields} } }`, clocks });
    const advance = (ms: number) => {
      clocks.advance(ms);
      vi.advanceTimersByTime(ms);
    };
    for (let each = 0; each <= rotations; each++) {
      await test.put({ k: newKey() });
      advance(1000);
    }
    return { ...test, advance, count: () => test.store.current?.keySets.get('k')?.keys.length };
  };

  it('ends by itself, without a reload', async () => {
    const { store, count, advance } = await rotated('retainPreviousSeconds: 60');
    advance(58_999);
    expect(count()).toBe(2);
    advance(1);
    expect(count()).toBe(1);
    expect(store.current?.generation).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends by itself after the others before it', async () => {
    const { count, advance } = await rotated('retainPreviousSeconds: 60', 3);
    const counts = [57_000, 1000, 1000].map((ms) => {
      advance(ms);
      return count();
    });
    expect(counts).toEqual([3, 2, 1]);
  });

  it('ends by itself after more time than a timer can wait', async () => {
    const { count, advance } = await rotated('retainPreviousSeconds: 10000000');
    advance(2 ** 31);
    expect(count()).toBe(2);
    advance(10_000_000_000 - 2 ** 31);
    expect(count()).toBe(1);
  });

  it('leaves no timer behind when there is none, or when the keys are dropped', async () => {
    const { store } = await rotated('retainPreviousSeconds: 60');
    expect(vi.getTimerCount()).toBe(1);
    store.drop();
    expect(vi.getTimerCount()).toBe(0);
    await rotated('retainPreviousSeconds: 0');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('many keys', () => {
  it('are loaded in turns between which requests are answered', { timeout: 120_000 }, async () => {
    const { put, store } = createTestStore();
    const keys = Array.from({ length: 256 }, (_, index) => [`k${index}`, newKey(16 * 1024)] as const);
    let answered = 0;
    let loading = true;
    const answer = () => {
      answered++;
      if (loading) setImmediate(answer);
    };
    setImmediate(answer);
    await put(Object.fromEntries(keys));
    loading = false;
    expect(store.current?.keySets.size).toBe(keys.length);
    // Hashing 4 MiB several times takes longer than a turn on any machine.
    expect(answered).toBeGreaterThan(3);
  });
});
