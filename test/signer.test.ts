import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SignerError } from '../src/errors.ts';
import type { KeySet, Snapshot } from '../src/keys/snapshot.ts';
import { createSigner, findKeySet, type Signer } from '../src/signer.ts';
import { createTestStore, type ManualClocks, manualClocks, tagOf } from './support/keys.ts';

const key = randomBytes(32);

async function open(fields = '', clocks: ManualClocks = manualClocks()) {
  const { store, put, configure } = createTestStore({ yaml: `keys: { k: { ${fields} } }`, clocks });
  await put({ k: key });
  const snapshot = (): Snapshot => {
    if (store.current === undefined) throw new Error('nothing is loaded');
    return store.current;
  };
  return {
    clocks,
    signer: createSigner(clocks),
    snapshot,
    keySet: () => findKeySet(snapshot(), 'k'),
    configure: (each: string) => configure(`keys: { k: { ${each} } }`),
  };
}

const codeOf = (act: () => unknown): SignerError['code'] | undefined => {
  try {
    act();
  } catch (error) {
    if (error instanceof SignerError) return error.code;
    throw error;
  }
  return undefined;
};
const sign = (signer: Signer, keySet: KeySet, message = 'm') => signer.carryOut(keySet, 'sign', { message });
const verify = (signer: Signer, keySet: KeySet) =>
  signer.carryOut(keySet, 'verify', { message: 'm', signature: tagOf('HS256', key, 'm').toString('hex') });
const stream = (signer: Signer, keySet: KeySet, ...parts: readonly string[]) => {
  const signing = signer.startSigning(keySet);
  for (const part of parts) signing.update(Buffer.from(part));
  return signing.finish();
};

describe('a key set', () => {
  it('is found by its name', async () => {
    const { snapshot } = await open();
    expect(findKeySet(snapshot(), 'k').name).toBe('k');
  });

  it.each(['', 'K', 'k ', 'k\0', 'kk', '__proto__', 'constructor', 'toString', '../k'])(
    'is not found by another, and every unknown name gets the same answer: %j',
    async (name) => {
      const { snapshot } = await open();
      expect(() => findKeySet(snapshot(), name)).toThrow(
        new SignerError('unknown_key', 'no key of this name is loaded; GET /v1/keys lists those that are'),
      );
    },
  );

  it.each([
    ['[sign]', 'sign', undefined],
    ['[sign]', 'verify', 'operation_not_allowed'],
    ['[verify]', 'sign', 'operation_not_allowed'],
    ['[verify]', 'verify', undefined],
    ['[sign, verify]', 'verify', undefined],
  ] as const)('that allows %s, asked to %s: %s', async (allow, operation, code) => {
    const { snapshot } = await open(`allow: ${allow}`);
    expect(codeOf(() => findKeySet(snapshot(), 'k', operation))).toBe(code);
    expect(codeOf(() => findKeySet(snapshot(), 'k'))).toBeUndefined();
  });

  it('that is unknown is unknown, whatever is asked of it', async () => {
    const { snapshot } = await open('allow: [sign]');
    expect(codeOf(() => findKeySet(snapshot(), 'x', 'verify'))).toBe('unknown_key');
  });
});

describe('a signer', () => {
  it('signs and verifies by the format of the key set', async () => {
    const { signer, keySet } = await open();
    const signature = tagOf('HS256', key, 'm').toString('hex');
    expect(sign(signer, keySet())).toMatchObject({ signature });
    expect(verify(signer, keySet())).toMatchObject({ valid: true, primary: true });
    expect(stream(signer, keySet(), 'm')).toMatchObject({ signature });
  });

  it('goes on with the snapshot that a request began with', async () => {
    const { signer, keySet, configure } = await open('algorithm: HS256');
    const [before, signing] = [keySet(), signer.startSigning(keySet())];
    signing.update(Buffer.from('m'));
    await configure('algorithm: HS512');
    expect(signing.finish()).toMatchObject({
      algorithm: 'HS256',
      signature: tagOf('HS256', key, 'm').toString('hex'),
    });
    expect(sign(signer, before)).toMatchObject({ algorithm: 'HS256' });
    expect(sign(signer, keySet())).toMatchObject({ algorithm: 'HS512' });
  });
});

describe('maxMessageBytes', () => {
  const parts = (bytes: number) => Array.from({ length: bytes }, () => 'x');

  it.each([
    [9, undefined],
    [10, undefined],
    [11, 'message_too_large'],
  ])('10 and a message of %i bytes: %s, whichever way it comes', async (bytes, code) => {
    const { signer, keySet } = await open('maxMessageBytes: 10');
    const message = 'x'.repeat(bytes);
    const signature = tagOf('HS256', key, message).toString('hex');
    expect(codeOf(() => sign(signer, keySet(), message))).toBe(code);
    expect(codeOf(() => signer.carryOut(keySet(), 'verify', { message, signature }))).toBe(code);
    expect(codeOf(() => stream(signer, keySet(), message))).toBe(code);
    expect(codeOf(() => stream(signer, keySet(), ...parts(bytes)))).toBe(code);
    const verification = signer.startVerification(keySet(), signature);
    expect(codeOf(() => verification.update(Buffer.from(message)))).toBe(code);
  });

  it('counts bytes, not characters, and what base64 stands for', async () => {
    const { signer, keySet } = await open('maxMessageBytes: 4');
    expect(codeOf(() => sign(signer, keySet(), 'éé'))).toBeUndefined();
    expect(codeOf(() => sign(signer, keySet(), 'ééx'))).toBe('message_too_large');
    const request = (bytes: number) => ({
      message: Buffer.alloc(bytes).toString('base64'),
      encoding: 'base64',
    });
    expect(codeOf(() => signer.carryOut(keySet(), 'sign', request(4)))).toBeUndefined();
    expect(codeOf(() => signer.carryOut(keySet(), 'sign', request(5)))).toBe('message_too_large');
  });

  it('refuses a streamed message as soon as it is over, before the rest of it', async () => {
    const { signer, keySet } = await open('maxMessageBytes: 10');
    const signing = signer.startSigning(keySet());
    signing.update(Buffer.alloc(10));
    expect(codeOf(() => signing.update(Buffer.alloc(1)))).toBe('message_too_large');
  });

  it('is no limit by default', async () => {
    const { signer, keySet } = await open();
    const signing = signer.startSigning(keySet());
    for (let part = 0; part < 64; part++) signing.update(Buffer.alloc(65_536));
    expect(signing.finish()).toMatchObject({
      signature: tagOf('HS256', key, Buffer.alloc(64 * 65_536)).toString('hex'),
    });
  });
});

describe('a rate limit', () => {
  it('is shared by all that a key set does', async () => {
    const { signer, keySet } = await open('rateLimit: { perSecond: 1, burst: 4 }');
    const uses = [
      () => sign(signer, keySet()),
      () => verify(signer, keySet()),
      () => stream(signer, keySet(), 'm'),
      () => signer.startVerification(keySet(), '00'),
    ];
    for (const use of uses) expect(codeOf(use)).toBeUndefined();
    for (const use of uses) expect(codeOf(use)).toBe('rate_limited');
  });

  it('is of one key set, not of another', async () => {
    const clocks = manualClocks();
    const { store, put } = createTestStore({
      yaml: 'keys: { a: { rateLimit: { perSecond: 1 } }, b: { rateLimit: { perSecond: 1 } } }',
    });
    await put({ a: randomBytes(32), b: randomBytes(32) });
    const signer = createSigner(clocks);
    const [a, b] = [...(store.current?.keySets.values() ?? [])];
    if (a === undefined || b === undefined) throw new Error('two key sets were to be loaded');
    expect([a, a, b, b].map((keySet) => codeOf(() => sign(signer, keySet)))).toEqual([
      undefined,
      'rate_limited',
      undefined,
      'rate_limited',
    ]);
  });

  it('goes by the time that passes, not by the clock on the wall', async () => {
    const { signer, keySet, clocks } = await open('rateLimit: { perSecond: 1 }');
    sign(signer, keySet());
    clocks.setNow(clocks.now() + 86_400_000);
    expect(codeOf(() => sign(signer, keySet()))).toBe('rate_limited');
    clocks.advance(1000);
    expect(codeOf(() => sign(signer, keySet()))).toBeUndefined();
  });

  it('is not refilled by a reload', async () => {
    const { signer, keySet, configure } = await open('rateLimit: { perSecond: 1 }');
    sign(signer, keySet());
    await configure('rateLimit: { perSecond: 1 }, maxMessageBytes: 100');
    expect(codeOf(() => sign(signer, keySet()))).toBe('rate_limited');
  });

  it('ends when the configuration lifts it', async () => {
    const { signer, keySet, configure } = await open('rateLimit: { perSecond: 1 }');
    sign(signer, keySet());
    await configure('');
    for (let each = 0; each < 100; each++) expect(codeOf(() => sign(signer, keySet()))).toBeUndefined();
  });

  it('counts a request that is not well formed, since it is work as well', async () => {
    const { signer, keySet } = await open('rateLimit: { perSecond: 1 }');
    expect(codeOf(() => signer.carryOut(keySet(), 'sign', {}))).toBe('malformed_request');
    expect(codeOf(() => sign(signer, keySet()))).toBe('rate_limited');
  });
});

describe('a format that takes only JSON', () => {
  it('refuses a streamed message, with nothing spent of the rate', async () => {
    const { signer, keySet } = await open('rateLimit: { perSecond: 1 }');
    const { startSigning: _, startVerification: __, ...format } = keySet().settings.format;
    const jsonOnly: KeySet = {
      ...keySet(),
      settings: { ...keySet().settings, format: { ...format, name: 'json-only' } },
    };
    const refused = new SignerError(
      'unsupported_media_type',
      'the format json-only takes application/json here',
    );
    expect(() => signer.startSigning(jsonOnly)).toThrow(refused);
    expect(() => signer.startVerification(jsonOnly, '00')).toThrow(refused);
    expect(codeOf(() => sign(signer, jsonOnly))).toBeUndefined();
  });
});
