import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SignerError } from '../src/api/errors.ts';
import type { KeySet, Snapshot } from '../src/key-sets/snapshot.ts';
import { createSigner, findKeySet, type Signer } from '../src/signer.ts';
import { noHeaders, refusalOf, signedBy } from './support/format.ts';
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
    keySet: () => findKeySet(snapshot(), 'k', 'tcp'),
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
const sign = (signer: Signer, keySet: KeySet, message = 'm') =>
  signer.authorize(keySet, 'sign', 'tcp').carryOut({ message });
const verify = (signer: Signer, keySet: KeySet) =>
  signer
    .authorize(keySet, 'verify', 'tcp')
    .carryOut({ message: 'm', signature: tagOf('HS256', key, 'm').toString('hex') });
const stream = (signer: Signer, keySet: KeySet, ...parts: readonly string[]) => {
  const signing = signer.authorize(keySet, 'sign', 'tcp').start(noHeaders);
  for (const part of parts) signing.update(Buffer.from(part));
  return signing.finish();
};

describe('a key set', () => {
  it('is found by its name', async () => {
    const { snapshot } = await open();
    expect(findKeySet(snapshot(), 'k', 'tcp').name).toBe('k');
  });

  it.each(['', 'K', 'k ', 'k\0', 'kk', '__proto__', 'constructor', 'toString', '../k'])(
    'is not found by another, and every unknown name gets the same answer: %j',
    async (name) => {
      const { snapshot } = await open();
      expect(() => findKeySet(snapshot(), name, 'tcp')).toThrow(
        new SignerError(
          'unknown_key',
          'there is no key set of this name for this caller; GET /v1/keys lists those that it may use',
        ),
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
    const { signer, keySet } = await open(`allow: ${allow}`);
    expect(codeOf(() => signer.authorize(keySet(), operation, 'tcp'))).toBe(code);
  });

  it('cannot be used without asking its policy', async () => {
    const { signer, keySet } = await open('allow: [verify]');
    // @ts-expect-error There is no way past `authorize`.
    expect(signer.carryOut).toBeUndefined();
    expect(codeOf(() => signer.authorize(keySet(), 'sign', 'tcp').carryOut({ message: 'm' }))).toBe(
      'operation_not_allowed',
    );
    expect(codeOf(() => signer.authorize(keySet(), 'sign', 'tcp').start(noHeaders))).toBe(
      'operation_not_allowed',
    );
  });

  it('that is unknown is unknown, whatever is asked of it', async () => {
    const { snapshot } = await open('allow: [sign]');
    expect(codeOf(() => findKeySet(snapshot(), 'x', 'tcp'))).toBe('unknown_key');
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
    const [before, signing] = [keySet(), signer.authorize(keySet(), 'sign', 'tcp').start(noHeaders)];
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
    expect(codeOf(() => signer.authorize(keySet(), 'verify', 'tcp').carryOut({ message, signature }))).toBe(
      code,
    );
    expect(codeOf(() => stream(signer, keySet(), message))).toBe(code);
    expect(codeOf(() => stream(signer, keySet(), ...parts(bytes)))).toBe(code);
    const verification = signer.authorize(keySet(), 'verify', 'tcp').start(signedBy(signature));
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
    expect(codeOf(() => signer.authorize(keySet(), 'sign', 'tcp').carryOut(request(4)))).toBeUndefined();
    expect(codeOf(() => signer.authorize(keySet(), 'sign', 'tcp').carryOut(request(5)))).toBe(
      'message_too_large',
    );
  });

  it('refuses a streamed message as soon as it is over, before the rest of it', async () => {
    const { signer, keySet } = await open('maxMessageBytes: 10');
    const signing = signer.authorize(keySet(), 'sign', 'tcp').start(noHeaders);
    signing.update(Buffer.alloc(10));
    expect(codeOf(() => signing.update(Buffer.alloc(1)))).toBe('message_too_large');
  });

  it('is no limit by default', async () => {
    const { signer, keySet } = await open();
    const signing = signer.authorize(keySet(), 'sign', 'tcp').start(noHeaders);
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
      () => signer.authorize(keySet(), 'verify', 'tcp').start(signedBy('00')),
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

  it('is of one caller, not of another, and is not refilled for one by the other', async () => {
    const { signer, keySet } = await open('rateLimit: { perSecond: 1 }');
    const use = (caller: string) =>
      codeOf(() => signer.authorize(keySet(), 'sign', caller).carryOut({ message: 'm' }));
    expect(['web', 'worker', 'web', 'worker', 'tcp', 'tcp'].map(use)).toEqual([
      undefined,
      undefined,
      'rate_limited',
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
    expect(codeOf(() => signer.authorize(keySet(), 'sign', 'tcp').carryOut({}))).toBe('malformed_request');
    expect(codeOf(() => sign(signer, keySet()))).toBe('rate_limited');
  });
});

describe('a format that takes only JSON', () => {
  it('refuses a streamed message, with nothing spent of the rate', async () => {
    const { signer, keySet } = await open('rateLimit: { perSecond: 1 }');
    const { startSigning: _, startVerification: __, ...format } = keySet().settings.format;
    const jsonOnly: KeySet = {
      ...keySet(),
      settings: { ...keySet().settings, format: { ...format, name: 'jwt' } },
    };
    const refused = new SignerError('unsupported_media_type', 'the format jwt takes application/json here');
    expect(() => signer.authorize(jsonOnly, 'sign', 'tcp').start(noHeaders)).toThrow(refused);
    expect(() => signer.authorize(jsonOnly, 'verify', 'tcp').start(signedBy('00'))).toThrow(refused);
    expect(codeOf(() => sign(signer, jsonOnly))).toBeUndefined();
  });
});

describe('a tenant', () => {
  const root = Buffer.concat([Buffer.of(0), randomBytes(31)]);
  const missing =
    'malformed_request: field "tenant": must name the tenant, because this key set has a separate key for each';
  const malformed =
    'malformed_request: field "tenant": not a usable name; use 1 to 253 of A-Z a-z 0-9 . _ - and do not begin with ".."';
  const unknown =
    'unknown_key: this key set has no key for this tenant; its configuration lists the tenants that it serves (tenants)';

  const open = async (fields = '', clocks = manualClocks()) => {
    const yaml = `keys: { k: { deriveFrom: root, ${fields} }, plain: { file: plain } }`;
    const { store, put } = createTestStore({ yaml, clocks });
    await put({ root, plain: key });
    const signer = createSigner(clocks);
    const keySet = (name = 'k') => {
      if (store.current === undefined) throw new Error('nothing is loaded');
      return findKeySet(store.current, name, 'tcp');
    };
    const outcome = (operation: 'sign' | 'verify', body: unknown, name?: string) =>
      refusalOf(() => signer.authorize(keySet(name), operation, 'tcp').carryOut(body));
    return { signer, keySet, outcome, clocks };
  };

  it('has signatures of its own, which no other tenant verifies', async () => {
    const { signer, keySet } = await open();
    const verdict = (tenant: string, signature: string) =>
      signer.authorize(keySet(), 'verify', 'tcp').carryOut({ message: 'm', signature, tenant });
    const signed = ['acme', 'globex'].map((tenant) => {
      const answer = signer.authorize(keySet(), 'sign', 'tcp').carryOut({ message: 'm', tenant }) as {
        signature: string;
        keyId: string;
      };
      return { tenant, ...answer };
    });
    for (const { tenant, signature, keyId } of signed) {
      expect(verdict(tenant, signature)).toEqual({ valid: true, keyId, primary: true });
      const [other = ''] = signed.map((each) => each.tenant).filter((each) => each !== tenant);
      expect(verdict(other, signature)).toEqual({ valid: false, reason: 'mismatch' });
    }
    expect(new Set(signed.map(({ keyId }) => keyId)).size).toBe(2);
  });

  it.each<[string, unknown, string]>([
    ['none', { message: 'm' }, missing],
    ['no object', null, missing],
    ['a text', 'tenant', missing],
    ['a list', [{ tenant: 'acme' }], missing],
    ['a number', { message: 'm', tenant: 5 }, malformed],
    ['null', { message: 'm', tenant: null }, malformed],
    ['an object', { message: 'm', tenant: { toString: 'acme' } }, malformed],
    ['a list of one', { message: 'm', tenant: ['acme'] }, malformed],
    ['an empty name', { message: 'm', tenant: '' }, malformed],
    ['a name with NUL', { message: 'm', tenant: 'acme\0' }, malformed],
    ['a name with NUL and another format', { message: 'm', tenant: 'x\0jwt\0acme' }, malformed],
    ['a name with a newline', { message: 'm', tenant: 'acme\n' }, malformed],
    ['a name with a space', { message: 'm', tenant: ' acme' }, malformed],
    ['a name with a slash', { message: 'm', tenant: 'a/b' }, malformed],
    ['a name that only looks the same', { message: 'm', tenant: 'аcme' }, malformed],
    ['a lone surrogate', { message: 'm', tenant: '\ud800' }, malformed],
    ['two dots', { message: 'm', tenant: '..' }, malformed],
    ['one dot', { message: 'm', tenant: '.' }, malformed],
    ['254 characters', { message: 'm', tenant: 'n'.repeat(254) }, malformed],
    ['60,000 characters', { message: 'm', tenant: 'n'.repeat(60_000) }, malformed],
  ])('cannot be %s', async (_, body, refusal) => {
    const { outcome } = await open();
    for (const operation of ['sign', 'verify'] as const) expect(outcome(operation, body)).toBe(refusal);
  });

  it.each(['n'.repeat(253), 'a', '-', '__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'may be named %s, where all are served',
    async (tenant) => {
      const { outcome } = await open();
      expect(outcome('sign', JSON.parse(`{"message": "m", "tenant": ${JSON.stringify(tenant)}}`))).toBe(
        'not refused',
      );
    },
  );

  it('is served if it is listed, where tenants are listed', async () => {
    const { outcome } = await open('tenants: [acme, __proto__]');
    const served = ['acme', '__proto__', 'Acme', 'acme.', 'constructor', 'toString', 'globex'].filter(
      (tenant) => outcome('sign', { message: 'm', tenant }) === 'not refused',
    );
    expect(served).toEqual(['acme', '__proto__']);
    expect(outcome('sign', { message: 'm', tenant: 'globex' })).toBe(unknown);
    expect(outcome('verify', { message: 'm', tenant: 'globex', signature: '' })).toBe(unknown);
  });

  it('is no field of a key set with a key of its own', async () => {
    const { outcome } = await open();
    for (const [operation, more] of [
      ['sign', {}],
      ['verify', { signature: '' }],
    ] as const) {
      const refusal = outcome(operation, { message: 'm', tenant: 'acme', ...more }, 'plain');
      expect(refusal).toMatch(/^malformed_request: the body has an unknown field; its fields are: message, /);
    }
  });

  it('leaves the rest of the request to the format, which refuses what it does not know', async () => {
    const { outcome } = await open();
    expect(outcome('sign', { tenant: 'acme' })).toMatch(
      /^malformed_request: field "message" is missing; it must be a string$/,
    );
    expect(outcome('sign', { message: 'm', tenant: 'acme', tenants: [] })).toContain('unknown field');
    expect(outcome('sign', JSON.parse('{"tenant": "acme", "message": "m", "__proto__": {}}'))).toContain(
      'unknown field',
    );
  });

  it('cannot be named by a message that is the body itself, so that is refused', async () => {
    const { signer, keySet } = await open();
    const refusal =
      'unsupported_media_type: a key set with derived keys takes application/json, in which the request names its tenant';
    expect(refusalOf(() => signer.authorize(keySet(), 'sign', 'tcp').start(noHeaders))).toBe(refusal);
    expect(refusalOf(() => signer.authorize(keySet(), 'verify', 'tcp').start(signedBy('')))).toBe(refusal);
  });

  it('uses up the rate limit of its key set, whoever it is', async () => {
    const { outcome, clocks } = await open('rateLimit: { perSecond: 1, burst: 3 }, tenants: [a, b]');
    expect(outcome('sign', { message: 'm', tenant: 'a' })).toBe('not refused');
    expect(outcome('sign', { message: 'm', tenant: 'b' })).toBe('not refused');
    expect(outcome('sign', { message: 'm', tenant: 'c' })).toBe(unknown);
    expect(outcome('sign', { message: 'm', tenant: 'a' })).toMatch(/^rate_limited: /);
    clocks.advance(1000);
    expect(outcome('sign', { message: 'm', tenant: 'a' })).toBe('not refused');
  });

  it('is limited in the size of its messages as its key set is', async () => {
    const { outcome } = await open('maxMessageBytes: 3');
    expect(outcome('sign', { message: 'four', tenant: 'a' })).toMatch(/^message_too_large: /);
  });

  it('whatever it is, is answered or refused, and nothing else is thrown', async () => {
    const { signer, keySet } = await open();
    const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' });
    const tenant = fc.oneof(json, fc.constantFrom('acme', 'a\0b', '__proto__', '..', 'n'.repeat(300)));
    const request = fc.oneof(
      json,
      fc.record({ message: fc.oneof(fc.string(), json), tenant, signature: json }, { requiredKeys: [] }),
      fc.dictionary(fc.constantFrom('message', 'tenant', '__proto__', 'constructor'), json),
    );
    fc.assert(
      fc.property(request, fc.constantFrom('sign' as const, 'verify' as const), (body, operation) => {
        try {
          expect(['signature', 'valid']).toContain(
            Object.keys(signer.authorize(keySet(), operation, 'tcp').carryOut(body))[0],
          );
        } catch (error) {
          expect(error).toBeInstanceOf(SignerError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
