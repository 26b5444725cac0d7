import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSigner, findKeySet } from '../../src/signer.ts';
import { keyId } from '../../src/signing/mac.ts';
import {
  type Content,
  configurationOf,
  configurationProblems,
  createKeyStoreOfTest,
  createTestStore,
  load,
  manualClocks,
  problemsOf,
  readingOf,
  tagOf,
} from '../support/keys.ts';

const hour = 3600_000;
const newKey = () => Buffer.concat([Buffer.of(0), randomBytes(31)]);
const pair = 'alsoVerify: [k.previous]';

/** A store with one raw key set `k`, and what its keys do, as a caller sees it. */
function open(fields = pair) {
  const clocks = manualClocks();
  const yaml = (each: string) => `keys: { k: { ${each} } }`;
  const { store, put, configure } = createTestStore({ yaml: yaml(fields), clocks });
  const signer = createSigner(clocks);
  const keySet = () => {
    if (store.current === undefined) throw new Error('nothing is loaded');
    return findKeySet(store.current, 'k', 'tcp');
  };
  return {
    store,
    clocks,
    keySet,
    put: (k: string | Uint8Array, previous?: string | Uint8Array, more: Content = {}) =>
      put({ k, ...(previous !== undefined && { 'k.previous': previous }), ...more }),
    configure: (each: string) => configure(yaml(each)),
    ids: () => keySet().keys.map(({ id }) => id),
    signsWith: (key: Uint8Array) => {
      const answer = signer.authorize(keySet(), 'sign', 'tcp').carryOut({ message: 'm' });
      return 'signature' in answer && answer.signature === tagOf('HS256', key, 'm').toString('hex');
    },
    verify: (key: Uint8Array) => {
      const signature = tagOf('HS256', key, 'm').toString('hex');
      return signer.authorize(keySet(), 'verify', 'tcp').carryOut({ message: 'm', signature });
    },
    verifies: (...keys: readonly Uint8Array[]) =>
      keys.map((key) => {
        const signature = tagOf('HS256', key, 'm').toString('hex');
        const answer = signer.authorize(keySet(), 'verify', 'tcp').carryOut({ message: 'm', signature });
        return 'valid' in answer && answer.valid === true;
      }),
  };
}

describe('a key in a file of alsoVerify', () => {
  it('verifies and never signs, and its id follows that of the primary', async () => {
    const { put, ids, signsWith, verify } = open();
    const [primary, previous] = [newKey(), newKey()];
    await put(primary, previous);
    expect(ids()).toEqual([keyId(primary), keyId(previous)]);
    expect([signsWith(primary), signsWith(previous)]).toEqual([true, false]);
    expect(verify(previous)).toEqual({ valid: true, keyId: keyId(previous), primary: false });
  });

  it('verifies on a replica that has just started, which a retained key does not', async () => {
    const [a, b] = [newKey(), newKey()];
    const [old, young] = [open(), open()];
    await old.put(a);
    await old.put(b, a);
    await young.put(b, a);
    expect([old.ids(), young.ids()]).toEqual([
      [keyId(b), keyId(a)],
      [keyId(b), keyId(a)],
    ]);
  });

  it('has the encoding and the algorithm of the key set', async () => {
    const { put, ids, keySet } = open(`${pair}, encoding: hex, algorithm: HS512`);
    const [primary, previous] = [randomBytes(64), randomBytes(64)];
    await put(primary.toString('hex'), `${previous.toString('hex')}\n`);
    expect(ids()).toEqual([keyId(primary), keyId(previous)]);
    expect(keySet().keys.map(({ mac }) => mac.algorithm)).toEqual(['HS512', 'HS512']);
  });

  it('may be one of several, which verify in the order of the list', async () => {
    const { put, ids } = open('alsoVerify: [next, k.previous, dir/oldest]');
    const [a, b, c, d] = [newKey(), newKey(), newKey(), newKey()];
    await put(b, a, { next: c, 'dir/oldest': d });
    expect(ids()).toEqual([b, c, a, d].map((key) => keyId(key)));
  });
});

describe('a file of alsoVerify that gives no key', () => {
  it.each<[string, Content, string]>([
    ['is not there', {}, 'its file is not there'],
    ['is empty', { 'k.previous': '' }, 'its file is empty'],
    ['holds a newline alone', { 'k.previous': '\n' }, 'its file is empty'],
    ['holds a Windows newline alone', { 'k.previous': '\r\n' }, 'its file is empty'],
  ])('is noted and refuses nothing: it %s', async (_, content, why) => {
    const { store, put } = createTestStore({ yaml: `keys: { k: { ${pair} } }` });
    await put({ k: newKey(), ...content });
    const { keys, notes, warnings } = store.current?.keySets.get('k') ?? {};
    expect({ count: keys?.length, notes, warnings }).toEqual({
      count: 1,
      notes: [`takes no key from alsoVerify.0: ${why}`],
      warnings: [],
    });
  });

  it.each<[string, (key: Buffer) => Uint8Array]>([
    ['the key that signs', (key) => key],
    ['the same key as HMAC pads it', (key) => Buffer.concat([key, Buffer.alloc(3)])],
  ])('is noted and refuses nothing: it holds %s', async (_, write) => {
    const { put, keySet, ids } = open();
    const key = newKey();
    await put(key, write(key));
    expect(ids()).toEqual([keyId(key)]);
    expect(keySet().notes).toEqual([
      'takes no key from alsoVerify.0: its file holds the same key as the primary key',
    ]);
  });

  it('is noted and refuses nothing: it holds the same key as another one', async () => {
    const { put, keySet, ids } = open('alsoVerify: [k.previous, oldest]');
    const [key, previous] = [newKey(), newKey()];
    await put(key, previous, { oldest: previous });
    expect(ids()).toEqual([keyId(key), keyId(previous)]);
    expect(keySet().notes).toEqual([
      'takes no key from alsoVerify.1: its file holds the same key as alsoVerify.0',
    ]);
  });

  it('may be misspelt: a file is suggested that the configuration does not name', async () => {
    const { put, keySet } = open('alsoVerify: [k.previuos]');
    await put(newKey(), newKey());
    expect(keySet().notes).toEqual([
      'takes no key from alsoVerify.0: its file is not there; did you mean "k.previous"?',
    ]);
    const { store, put: putAll } = createTestStore({
      yaml: 'keys: { a: { alsoVerify: [a.previous] }, b: { alsoVerify: [b.previous] } }',
    });
    await putAll({ a: newKey(), b: newKey(), 'b.previous': newKey() });
    expect(store.current?.keySets.get('a')?.notes).toEqual([
      'takes no key from alsoVerify.0: its file is not there',
    ]);
  });

  it('gives one as soon as it is there', async () => {
    const { put, ids, verifies } = open();
    const [a, b] = [newKey(), newKey()];
    await put(b);
    expect(verifies(a)).toEqual([false]);
    await put(b, a);
    expect(ids()).toEqual([keyId(b), keyId(a)]);
    expect(verifies(a, b)).toEqual([true, true]);
  });
});

describe('a file of alsoVerify that is wrong', () => {
  it.each<[string, string | Uint8Array, string]>([
    ['short', 'short', 'is 5 bytes long; a key needs at least 16, better 32'],
    ['of one byte repeated', Buffer.alloc(32, 7), 'is one byte repeated; '],
    ['text with a newline', 'some words that are the key\n', 'is text that ends with a newline'],
    ['spaces alone', ' '.repeat(20), 'is one byte repeated; '],
  ])('refuses the reading as a whole: %s', async (_, content, problem) => {
    const { put, ids } = open();
    const [a, b] = [newKey(), newKey()];
    await put(a);
    const problems = await problemsOf(put(b, content));
    expect(problems).toEqual([expect.stringContaining(`"k" has a file (alsoVerify.0) that ${problem}`)]);
    expect(ids()).toEqual([keyId(a)]);
  });

  it('is not read in another encoding than that of the key set', async () => {
    const { put } = open(`${pair}, encoding: hex`);
    const hex = newKey().toString('hex');
    expect(await problemsOf(put(hex, newKey().toString('base64')))).toEqual([
      expect.stringMatching(/^"k" has a file \(alsoVerify\.0\) that is not hex: .*set "encoding: base64"$/),
    ]);
  });

  it('is told together with what is wrong with the key that signs', async () => {
    const { put } = open('alsoVerify: [k.previous, oldest]');
    expect(await problemsOf(put('short', 'shorter', { oldest: 'x' }))).toEqual([
      expect.stringMatching(/^"k" is 5 bytes/),
      expect.stringMatching(/^"k" has a file \(alsoVerify\.0\) that is 7 bytes/),
      expect.stringMatching(/^"k" has a file \(alsoVerify\.1\) that is 1 byte/),
    ]);
  });

  it('is named with its directory, if there are several', async () => {
    const store = createKeyStoreOfTest({
      directories: ['/a', '/b'],
      configuration: configurationOf(`keys: { k: { ${pair} } }`),
      variable: () => undefined,
    });
    await load(store, '/a', readingOf({ k: newKey() }));
    expect(await problemsOf(load(store, '/b', readingOf({ 'k.previous': 'short' })))).toEqual([
      expect.stringMatching(/^"k" in \/a has a file \(alsoVerify\.0 in \/b\) that is 5 bytes long/),
    ]);
    await load(store, '/a', readingOf({ k: newKey(), 'k.previous': newKey() })).catch(() => undefined);
    expect(await problemsOf(load(store, '/b', readingOf({ 'k.previous': newKey() })))).toEqual([
      '"k" in /a has a file (alsoVerify.0 in /a and /b) that has the name of another one, too; rename one of them',
    ]);
  });

  it('may not hold the key of another key set, whether that signs or verifies there', async () => {
    const yaml = 'keys: { a: { alsoVerify: [a.previous] }, b: { alsoVerify: [b.previous] } }';
    const { put } = createTestStore({ yaml });
    const [a, b, old] = [newKey(), newKey(), newKey()];
    const shared = [expect.stringMatching(/^"b" holds the same key as "a"; /)];
    expect(await problemsOf(put({ a, b, 'a.previous': b }))).toEqual(shared);
    expect(await problemsOf(put({ a, b, 'b.previous': a }))).toEqual(shared);
    expect(await problemsOf(put({ a, b, 'a.previous': old, 'b.previous': old }))).toEqual(shared);
    await put({ a, b, 'a.previous': old });
  });

  it('has its warnings, each of them once', async () => {
    const { put, keySet } = open(`${pair}, allowWeakKey: true`);
    await put('weak', 'other');
    expect(keySet().warnings).toEqual([
      'holds a weak key, accepted because of allowWeakKey; replace it',
      'has a file (alsoVerify.0) that holds a weak key, accepted because of allowWeakKey; replace it',
    ]);
  });
});

describe('a key that leaves alsoVerify', () => {
  it.each([pair, `${pair}, retainPreviousSeconds: 86400`])(
    'stops verifying with that snapshot: %s',
    async (fields) => {
      const { put, verifies } = open(fields);
      const [a, b] = [newKey(), newKey()];
      await put(a);
      await put(b, a);
      expect(verifies(a, b)).toEqual([true, true]);
      await put(b);
      expect(verifies(a, b)).toEqual([false, true]);
    },
  );

  it('stops verifying also when another key takes its place', async () => {
    const { put, verifies } = open(`${pair}, retainPreviousSeconds: 86400`);
    const [a, b, c] = [newKey(), newKey(), newKey()];
    await put(b, a);
    await put(c, b);
    expect(verifies(a, b, c)).toEqual([false, true, true]);
  });

  it('stops verifying when the configuration does not name its file any more', async () => {
    for (const fields of ['retainPreviousSeconds: 3600', 'alsoVerify: [other]', '']) {
      const { put, configure, verifies } = open();
      const [a, b] = [newKey(), newKey()];
      await put(b, a);
      await configure(fields);
      expect(verifies(a, b)).toEqual([false, true]);
    }
  });

  it('stops verifying also if it was the key that signs, too', async () => {
    const { put, verifies } = open(`${pair}, retainPreviousSeconds: 86400`);
    const [a, b] = [newKey(), newKey()];
    await put(a, a);
    await put(b);
    expect(verifies(a, b)).toEqual([false, true]);
  });

  it('stops verifying also if it was retained before it came there', async () => {
    const { put, verifies } = open(`${pair}, retainPreviousSeconds: 86400`);
    const [a, b] = [newKey(), newKey()];
    await put(a);
    await put(b);
    await put(b, a);
    await put(b);
    expect(verifies(a, b)).toEqual([false, true]);
  });

  it('is the primary again if it takes that place', async () => {
    const { put, verifies, signsWith } = open();
    const [a, b] = [newKey(), newKey()];
    await put(b, a);
    await put(a, b);
    expect([signsWith(a), ...verifies(a, b)]).toEqual([true, true, true]);
  });
});

describe('retainPreviousSeconds', () => {
  it('is 0 with alsoVerify, so that what verifies is the same on every replica', async () => {
    const { put, verifies } = open();
    const [a, b] = [newKey(), newKey()];
    await put(a);
    await put(b);
    expect(verifies(a, b)).toEqual([false, true]);
  });

  it('that is given holds for a primary that is replaced', async () => {
    const { put, verifies, clocks, configure } = open(`${pair}, retainPreviousSeconds: 3600`);
    const [a, b] = [newKey(), newKey()];
    await put(a);
    await put(b);
    expect(verifies(a, b)).toEqual([true, true]);
    clocks.advance(hour);
    await configure(`${pair}, retainPreviousSeconds: 3600, maxMessageBytes: 9`);
    expect(verifies(a, b)).toEqual([false, true]);
  });

  it('ends what was retained when alsoVerify is added without it', async () => {
    const { put, verifies, configure } = open('');
    const [a, b] = [newKey(), newKey()];
    await put(a);
    await put(b);
    expect(verifies(a)).toEqual([true]);
    await configure(pair);
    expect(verifies(a, b)).toEqual([false, true]);
  });
});

describe('whatever is rotated, listed, removed and configured', () => {
  const keys = Array.from({ length: 4 }, newKey);
  const number = fc.nat(keys.length - 1);
  /** Which key a file holds; undefined if the file is not there. */
  const file = fc.option(number, { nil: undefined });
  const step = fc.oneof(
    fc.record({ primary: number, old: file, older: file }),
    fc.record({
      listed: fc.constantFrom<readonly ('old' | 'older')[]>([], ['old'], ['older'], ['older', 'old']),
      retain: fc.constantFrom(undefined, 0, 60),
    }),
  );
  const history = fc.array(fc.tuple(step, fc.constantFrom(0, 20, 59, 60)), { minLength: 1, maxLength: 20 });

  it('verifies with what is loaded, and with what it replaced that was in no listed file', async () => {
    let retained = 0;
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const { store, clocks, put, configure, signsWith, verifies } = open('');
        let files: { primary: number; old: number | undefined; older: number | undefined };
        files = { primary: 0, old: undefined, older: undefined };
        let settings: { listed: readonly ('old' | 'older')[]; retain: number | undefined };
        settings = { listed: [], retain: undefined };
        /** What each snapshot was made of. */
        const past: { atMs: number; primary: number; listed: readonly number[]; retainMs: number }[] = [];
        const remember = () => {
          const { listed, retain = listed.length > 0 ? 0 : 3600 } = settings;
          const ofFiles = listed.flatMap((name) => files[name] ?? []);
          past.push({
            atMs: clocks.monotonicMs(),
            primary: files.primary,
            listed: ofFiles,
            retainMs: retain * 1000,
          });
        };
        const putAll = () => {
          const content = Object.entries(files).flatMap(([name, at]) =>
            at === undefined ? [] : [[name === 'primary' ? 'k' : name, keys[at] ?? ''] as const],
          );
          const { k = '', ...more } = Object.fromEntries(content);
          return put(k, undefined, more);
        };
        const isLoaded = (key: number, { primary, listed }: (typeof past)[number]) =>
          key === primary || listed.includes(key);
        const isExpected = (key: number) => {
          const last = past.findLastIndex((each) => isLoaded(key, each));
          if (last < 0) return false;
          if (last === past.length - 1) return true;
          const [, replacing] = past.slice(last);
          if (past[last]?.listed.includes(key) || replacing === undefined) return false;
          return past.slice(last + 1).every(({ atMs, retainMs }) => atMs < replacing.atMs + retainMs);
        };
        await putAll();
        remember();
        for (const [change, seconds] of steps) {
          clocks.advance(seconds * 1000);
          if ('primary' in change) {
            files = change;
            await putAll();
          } else {
            settings = change;
            const { listed, retain } = change;
            const fields = [
              ...(listed.length > 0 ? [`alsoVerify: [${listed}]`] : []),
              ...(retain === undefined ? [] : [`retainPreviousSeconds: ${retain}`]),
            ];
            await configure(fields.join());
          }
          remember();
          const now = past.at(-1);
          expect(verifies(...keys)).toEqual(keys.map((_, key) => isExpected(key)));
          expect(keys.map(signsWith)).toEqual(keys.map((_, key) => key === files.primary));
          retained += keys.filter((_, key) => now && isExpected(key) && !isLoaded(key, now)).length;
        }
        expect(store.current?.generation).toBe(past.length);
        store.drop();
      }),
      { numRuns: 300 },
    );
    // The histories did come to what they are for.
    expect(retained).toBeGreaterThan(100);
  });
});

describe('the configuration of alsoVerify', () => {
  const problemsWith = (fields: string) => configurationProblems(`keys:\n  k: { ${fields} }\n`);

  it.each([
    ['env: K, alsoVerify: [old]', 'keys.k.alsoVerify: is only for a key in a file; '],
    ['deriveFrom: root, alsoVerify: [old]', 'keys.k.alsoVerify: is not for a key set with derived keys'],
    ['encoding: jwks, alsoVerify: [old]', 'keys.k.alsoVerify: is not for a JWK set, '],
    ['file: k.jwks.json, alsoVerify: [old]', 'keys.k.alsoVerify: is not for a JWK set, '],
    ['alsoVerify: []', 'keys.k.alsoVerify: must have at least 1 element'],
    ['alsoVerify: old', 'keys.k.alsoVerify: must be a list'],
    ['alsoVerify: { old: }', 'keys.k.alsoVerify: must be a list'],
    ['alsoVerify: [5]', 'keys.k.alsoVerify.0: must be a string'],
    ['alsoVerify: [~]', 'keys.k.alsoVerify.0: must be a string'],
    ['alsoVerify: [""]', 'keys.k.alsoVerify.0: must be the name of a file: '],
    ['alsoVerify: [old, ../k]', 'keys.k.alsoVerify.1: must be the name of a file: '],
    ['alsoVerify: [..data]', 'keys.k.alsoVerify.0: must be the name of a file: '],
    ['alsoVerify: [/etc/passwd]', 'keys.k.alsoVerify.0: must be the name of a file: '],
    ['alsoVerify: ["a\\nb"]', 'keys.k.alsoVerify.0: must be the name of a file: '],
    ['alsoVerify: [k]', 'keys.k.alsoVerify.0: names the file of the key that signs; '],
    ['file: g/x, alsoVerify: [old, g.x]', 'keys.k.alsoVerify.1: names the file of the key that signs; '],
    ['alsoVerify: [old, old]', 'keys.k.alsoVerify.1: names a file for the second time; '],
    ['alsoVerify: [g/old, g.old]', 'keys.k.alsoVerify.1: names a file for the second time; '],
    [
      'format: stripe, encoding: text, stripe: { signWith: all }, alsoVerify: [old]',
      'keys.k.stripe.signWith: must not be "all" with alsoVerify, ',
    ],
  ])('is refused: %s', (fields, problem) => {
    expect(problemsWith(fields)).toEqual([expect.stringContaining(problem)]);
    expect(problemsWith(fields)[0]).toMatch(/ \(line 2\)$/);
  });

  it('names at most 16 files', () => {
    const list = (count: number) =>
      `alsoVerify: [${Array.from({ length: count }, (_, index) => `old${index}`)}]`;
    expect(problemsWith(list(16))).toEqual([]);
    expect(problemsWith(list(17))).toEqual(['keys.k.alsoVerify: must have at most 16 elements (line 2)']);
  });

  it.each([
    ['a: { alsoVerify: [old] }, b: { alsoVerify: [old] }', 'keys.b.alsoVerify.0', 'a'],
    ['a: { alsoVerify: [b] }, b: ', 'keys.a.alsoVerify.0', 'b'],
    ['b: , a: { alsoVerify: [b] }', 'keys.a.alsoVerify.0', 'b'],
    ['a: { alsoVerify: [g/r] }, b: { deriveFrom: g.r }', 'keys.a.alsoVerify.0', 'b'],
    ['a: { file: x, alsoVerify: [old] }, b: { alsoVerify: [new, x] }', 'keys.b.alsoVerify.1', 'a'],
  ])('does not name the file of another key set, which may not be there yet: %s', (keySets, path, owner) => {
    expect(configurationProblems(`keys: { ${keySets} }`)).toEqual([
      `${path}: names a file of the key set "${owner}"; give each key set files of its own (line 1)`,
    ]);
  });

  it('never repeats a name, which could be a key', () => {
    const yaml = 'keys: { a: { alsoVerify: [SECRET, a, SECRET, "SECRET\\n", SECRET/../x] }, SECRET: }';
    const said = configurationProblems(yaml).join('\n');
    expect(said).not.toBe('');
    expect(said.replaceAll('key set "SECRET"', '')).not.toContain('SECRET');
  });

  it('reads the files that it names', () => {
    const { files } = configurationOf('keys: { a: { alsoVerify: [g/old] }, b: { env: B } }');
    expect(files).toEqual(new Set(['a', 'g.old']));
  });
});
