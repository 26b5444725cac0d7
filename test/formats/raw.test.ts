import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { BytesEncoding } from '../../src/api/messages.ts';
import { bytesEncodings } from '../../src/bytes/encoding.ts';
import { formats } from '../../src/formats/index.ts';
import type { Format, SigningContext } from '../../src/signing/format.ts';
import { type Algorithm, createMac, currentAlgorithms, type Key } from '../../src/signing/mac.ts';
import { noHeaders, refusalOf, signedBy } from '../support/format.ts';
import { tagOf } from '../support/keys.ts';
import { readVectors } from '../support/vectors.ts';

const rawOf = (output?: BytesEncoding): Format => {
  const definition = formats.get('raw');
  if (definition === undefined) throw new Error('there is no format raw');
  return definition.create({ output });
};
const raw = rawOf();
const keyOf = (id: string, algorithm: Algorithm, bytes: Uint8Array): Key => ({
  id,
  mac: createMac(algorithm, bytes),
});
const use = (...keys: readonly [Key, ...Key[]]): SigningContext => ({
  keys,
  now: 0,
  random: randomBytes,
  checkSize: () => undefined,
});
const withKey = (algorithm: Algorithm, bytes: Uint8Array) => use(keyOf('id', algorithm, bytes));

interface HmacVector {
  readonly name: string;
  readonly key: string;
  readonly data: string;
  readonly tags: Partial<Record<Algorithm, string>>;
}

describe('published vectors', () => {
  const vectors = ['rfc4231', 'hmac-sha3'].flatMap((file) =>
    readVectors<HmacVector>(file).flatMap(({ name, key, data, tags }) =>
      (Object.entries(tags) as [Algorithm, string][]).map(([algorithm, tag]) => ({
        file,
        name,
        algorithm,
        key,
        data,
        tag,
      })),
    ),
  );

  it('are there for every algorithm', () => {
    expect(new Set(vectors.map(({ algorithm }) => algorithm))).toEqual(new Set(currentAlgorithms));
  });

  // RFC 4231 test case 5 is a truncated tag: it must be the beginning of the whole one, and must not verify.
  it.each(vectors)('$file, $name, $algorithm', ({ algorithm, key, data, tag }) => {
    const signer = withKey(algorithm, Buffer.from(key, 'hex'));
    const { signature } = raw.sign(signer, { message: data, encoding: 'hex' }) as { signature: string };
    const isWhole = tag.length === signature.length;
    expect(signature.slice(0, tag.length)).toBe(tag);
    expect(raw.verify(signer, { message: data, encoding: 'hex', signature: tag })).toEqual(
      isWhole ? { valid: true, keyId: 'id', primary: true } : { valid: false, reason: 'malformed' },
    );
  });
});

describe('a message', () => {
  const key = randomBytes(32);
  const signer = withKey('HS256', key);
  const signatureOf = (request: object) => (raw.sign(signer, request) as { signature: string }).signature;

  it.each<[string, object, string | Uint8Array]>([
    ['text', { message: 'naïve 🔑' }, 'naïve 🔑'],
    ['text that says so', { message: 'm', encoding: 'utf8' }, 'm'],
    ['empty text', { message: '' }, ''],
    ['text as it is, with the accent composed or not', { message: 'e\u0301' }, 'e\u0301'],
    ['text with control characters', { message: '\r\n\t\u0001' }, '\r\n\t\u0001'],
    ['a byte order mark, which counts', { message: '\ufeffm' }, '\ufeffm'],
    ['base64', { message: 'AP8=', encoding: 'base64' }, Uint8Array.of(0, 255)],
    ['hex in either case', { message: '00fF', encoding: 'hex' }, Uint8Array.of(0, 255)],
    ['empty base64', { message: '', encoding: 'base64' }, ''],
  ])('may be %s', (_, request, bytes) => {
    expect(signatureOf(request)).toBe(tagOf('HS256', key, bytes).toString('hex'));
  });

  it.each<[string, object]>([
    ['a high surrogate alone', { message: '\ud800' }],
    ['a low surrogate alone', { message: 'm\udc01' }],
    ['surrogates in the wrong order', { message: '\udc01\ud800' }],
    ['NUL in text', { message: 'a\0b' }],
    ['hex of an odd length', { message: 'abc', encoding: 'hex' }],
    ['hex with a space', { message: '00 11', encoding: 'hex' }],
    ['base64 without padding', { message: 'AA', encoding: 'base64' }],
    ['base64 with unused bits', { message: 'AB==', encoding: 'base64' }],
    ['base64 with white space', { message: 'AAAA\n', encoding: 'base64' }],
    ['base64 of the URL alphabet', { message: '-_-_', encoding: 'base64' }],
    ['an encoding that there is not', { message: 'm', encoding: 'latin1' }],
    ['an encoding of signatures', { message: 'AA', encoding: 'base64url' }],
    ['no message', {}],
    ['a number', { message: 1 }],
    ['a list of bytes', { message: [1, 2] }],
    ['null', { message: null }],
    ['an output that there is not', { message: 'm', output: 'binary' }],
    ['an algorithm of the caller', { message: 'm', algorithm: 'HS512' }],
    ['a length of the caller', { message: 'm', length: 8 }],
    ['a key of the caller', { message: 'm', keyId: 'id' }],
    ['a format of the caller', { message: 'm', format: 'raw' }],
    ['a signature', { message: 'm', signature: '00' }],
    ['__proto__', JSON.parse('{"message": "m", "__proto__": {}}')],
    ['a list', ['m']],
    ['text alone', 'm' as unknown as object],
  ])('may not be %s', (_, request) => {
    expect(refusalOf(() => raw.sign(signer, request))).toMatch(/^malformed_request: /);
  });

  it.each<[string, readonly string[], string]>([
    ['in one part', ['message'], 'message'],
    ['in many', [...'message'], 'message'],
    ['in parts of which some are empty', ['', 'mess', '', 'age', ''], 'message'],
    ['in none', [], ''],
    ['in parts that end within a character', ['\xc3', '\xa9'], 'é'],
  ])('may come %s', (_, parts, message) => {
    const signing = raw.startSigning?.(signer, noHeaders);
    if (signing === undefined) throw new Error('raw signs streamed messages');
    for (const part of parts) signing.update(Buffer.from(part, 'latin1'));
    expect(signing.finish()).toMatchObject({ signature: tagOf('HS256', key, message).toString('hex') });
  });

  it('is admitted by its size in bytes before it is signed', () => {
    const sizes: number[] = [];
    const admitting: SigningContext = { ...signer, checkSize: (bytes) => sizes.push(bytes) };
    raw.sign(admitting, { message: 'é' });
    raw.verify(admitting, { message: 'AAAA', encoding: 'base64', signature: '' });
    expect(sizes).toEqual([2, 3]);
  });
});

describe('the output', () => {
  const key = randomBytes(32);
  const signer = withKey('HS512', key);
  const tag = tagOf('HS512', key, 'm');

  it.each(bytesEncodings)('is %s when the key set says so, and read back in it', (output) => {
    const format = rawOf(output);
    const signature = tag.toString(output);
    expect(format.sign(signer, { message: 'm' })).toMatchObject({ signature });
    expect(format.verify(signer, { message: 'm', signature })).toMatchObject({ valid: true });
    const signing = format.startSigning?.(signer, noHeaders);
    signing?.update(Buffer.from('m'));
    expect(signing?.finish()).toMatchObject({ signature });
    const verification = format.startVerification?.(signer, signedBy(signature));
    verification?.update(Buffer.from('m'));
    expect(verification?.finish()).toMatchObject({ valid: true });
  });

  it.each(bytesEncodings)('is %s when the request says so, whatever the key set says', (output) => {
    const signature = tag.toString(output);
    for (const format of bytesEncodings.map(rawOf)) {
      expect(format.sign(signer, { message: 'm', output })).toMatchObject({ signature });
      expect(format.verify(signer, { message: 'm', output, signature })).toMatchObject({ valid: true });
    }
  });

  it('is read in no other encoding than the one that is said', () => {
    for (const said of bytesEncodings) {
      for (const written of bytesEncodings.filter((each) => each !== said)) {
        const answer = rawOf(said).verify(signer, { message: 'm', signature: tag.toString(written) });
        expect(answer).toEqual({ valid: false, reason: 'malformed' });
      }
    }
  });
});

describe('a signature', () => {
  const key = randomBytes(32);
  const other = randomBytes(32);

  it.each(currentAlgorithms)('of %s with any one bit changed is not valid', (algorithm) => {
    const signer = withKey(algorithm, key);
    const tag = tagOf(algorithm, key, 'm');
    const verdicts = Array.from({ length: tag.length * 8 }, (_, bit) => {
      const changed = Buffer.from(tag);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return raw.verify(signer, { message: 'm', signature: changed.toString('hex') });
    });
    expect(verdicts).toHaveLength({ 256: 256, 384: 384, 512: 512 }[tag.length * 8] ?? 0);
    expect(new Set(verdicts.map((each) => JSON.stringify(each)))).toEqual(
      new Set(['{"valid":false,"reason":"mismatch"}']),
    );
  });

  it.each<[string, (tag: Buffer) => string, string]>([
    ['over another message', () => tagOf('HS256', key, 'n').toString('hex'), 'mismatch'],
    ['by another key', () => tagOf('HS256', other, 'm').toString('hex'), 'mismatch'],
    ['of zeros', () => '00'.repeat(32), 'mismatch'],
    ['that is empty', () => '', 'malformed'],
    ['of one byte', (tag) => tag.toString('hex', 0, 1), 'malformed'],
    ['without its last byte', (tag) => tag.toString('hex', 0, 31), 'malformed'],
    ['with a byte more', (tag) => `${tag.toString('hex')}00`, 'malformed'],
    ['of half its length', (tag) => tag.toString('hex', 0, 16), 'malformed'],
    ['of another algorithm', () => tagOf('HS512', key, 'm').toString('hex'), 'malformed'],
    [
      'of another algorithm of the same length',
      () => tagOf('HMAC-SHA3-256', key, 'm').toString('hex'),
      'mismatch',
    ],
    ['in upper-case hex', (tag) => `AA${tag.toString('hex', 1)}`.toUpperCase(), 'malformed'],
    ['with a newline', (tag) => `${tag.toString('hex')}\n`, 'malformed'],
    ['with a space in front', (tag) => ` ${tag.toString('hex')}`, 'malformed'],
    ['of characters that are not hex', () => 'zz'.repeat(32), 'malformed'],
    ['of full-width digits', () => '\uff10'.repeat(64), 'malformed'],
    ['with a prefix', (tag) => `sha256=${tag.toString('hex')}`, 'malformed'],
    ['that is very long', () => '00'.repeat(100_000), 'malformed'],
  ])('%s is not valid', (_, make, reason) => {
    const signer = withKey('HS256', key);
    const signature = make(tagOf('HS256', key, 'm'));
    expect(raw.verify(signer, { message: 'm', signature })).toEqual({ valid: false, reason });
    const verification = raw.startVerification?.(signer, signedBy(signature));
    verification?.update(Buffer.from('m'));
    expect(verification?.finish()).toEqual({ valid: false, reason });
  });

  it.each<[string, unknown]>([
    ['a number', 5],
    ['null', null],
    ['a list', []],
    ['bytes', { type: 'Buffer', data: [1] }],
  ])('that is %s is not well formed', (_, signature) => {
    expect(refusalOf(() => raw.verify(withKey('HS256', key), { message: 'm', signature }))).toBe(
      'malformed_request: field "signature": must be a string',
    );
  });

  it('that is not there is not well formed', () => {
    expect(refusalOf(() => raw.verify(withKey('HS256', key), { message: 'm' }))).toMatch(
      /^malformed_request: /,
    );
  });

  it('verifies by any of the keys, and tells which, and whether it is the primary', () => {
    const all = [randomBytes(32), randomBytes(32), randomBytes(32)] as const;
    const keys = use(keyOf('0', 'HS256', all[0]), keyOf('1', 'HS256', all[1]), keyOf('2', 'HS256', all[2]));
    const verdicts = all.map((each) =>
      raw.verify(keys, { message: 'm', signature: tagOf('HS256', each, 'm').toString('hex') }),
    );
    expect(verdicts).toEqual([
      { valid: true, keyId: '0', primary: true },
      { valid: true, keyId: '1', primary: false },
      { valid: true, keyId: '2', primary: false },
    ]);
    expect(raw.verify(keys, { message: 'm', signature: tagOf('HS256', other, 'm').toString('hex') })).toEqual(
      {
        valid: false,
        reason: 'mismatch',
      },
    );
  });

  it('verifies by keys of different algorithms, each with its own tag', () => {
    const keys = use(keyOf('new', 'HS512', key), keyOf('old', 'HS256', other));
    const verify = (tag: Buffer) => raw.verify(keys, { message: 'm', signature: tag.toString('hex') });
    expect(verify(tagOf('HS512', key, 'm'))).toMatchObject({ valid: true, keyId: 'new' });
    expect(verify(tagOf('HS256', other, 'm'))).toMatchObject({ valid: true, keyId: 'old' });
    expect(verify(tagOf('HS256', key, 'm'))).toEqual({ valid: false, reason: 'mismatch' });
    expect(verify(tagOf('HS384', key, 'm'))).toEqual({ valid: false, reason: 'malformed' });
  });

  it('is made by the primary alone', () => {
    const keys = use(keyOf('new', 'HS256', key), keyOf('old', 'HS256', other));
    expect(raw.sign(keys, { message: 'm' })).toMatchObject({
      keyId: 'new',
      signature: tagOf('HS256', key, 'm').toString('hex'),
    });
  });
});

it('takes keys of every algorithm, HS256 unless something else is said', () => {
  expect(raw.algorithms).toEqual(currentAlgorithms);
  expect(raw.algorithms[0]).toBe('HS256');
});
