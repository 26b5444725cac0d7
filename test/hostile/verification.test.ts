/** Signatures that are none, and keys that sign no more. */

import { describe, expect } from 'vitest';
import { waitFor } from '../support/signer.ts';
import { type Arena, only, test } from './arena.ts';
import { build, expectOutcome, malformed, unsupported } from './rows.ts';
import { type Flaw, json, request } from './wire.ts';

const path = '/v1/keys/demo/verify';
const wrong = { valid: false, reason: 'mismatch' };
const noSignature = { valid: false, reason: 'malformed' };

async function verify(arena: Arena, body: object): Promise<unknown> {
  const answer = only(
    await arena.exchange(arena.tcp, request(arena.tcp, { target: path, body: json(body) })),
  );
  expect(answer.status).toBe(200);
  return JSON.parse(answer.body);
}

/** The message of the arena as it is, with a signature in a header. */
function asItIs({ message }: Arena, ...more: readonly string[]): Flaw {
  return { target: path, type: 'Content-Type: application/octet-stream', body: message, more };
}

/** From the right signature (in hex) to what is given. */
const signatures: Readonly<Record<string, (right: string) => string>> = {
  empty: () => '',
  'of 31 bytes': (right) => right.slice(0, 62),
  'of 33 bytes': (right) => `${right}00`,
  'of 64 bytes': (right) => right + right,
  'of an odd number of digits': (right) => right.slice(0, 63),
  'with a digit that is none': (right) => `${right.slice(0, 63)}g`,
  'in upper case': (right) => right.toUpperCase(),
  'with a space before it': (right) => ` ${right}`,
  'with NUL after it': (right) => `${right}\0`,
  'with the name of the hash': (right) => `sha256=${right}`,
  'in base64': (right) => Buffer.from(right, 'hex').toString('base64'),
  'of lone surrogates': () => '\ud800'.repeat(64),
  'of 60,000 characters': () => 'a'.repeat(60_000),
};

describe('verification', () => {
  test('a right signature is valid, in each encoding', async ({ arena }) => {
    const tag = Buffer.from(arena.tag(arena.message), 'hex');
    for (const output of ['hex', 'base64', 'base64url'] as const) {
      const signature = tag.toString(output);
      expect(await verify(arena, { message: arena.message, output, signature })).toMatchObject({
        valid: true,
      });
    }
    const flaw = asItIs(arena, `Sec-Signer-Signature: ${tag.toString('hex')}`);
    expect(JSON.parse(only(await arena.exchange(arena.tcp, build(arena.tcp, '', flaw))).body)).toMatchObject({
      valid: true,
    });
  });

  test.for(Object.entries(signatures))('A49 a signature %s', async ([, change], { arena }) => {
    const signature = change(arena.tag(arena.message));
    expect(await verify(arena, { message: arena.message, signature })).toEqual(noSignature);
  });

  test.for(['base64', 'base64url'] as const)(
    'A49 a signature in another encoding than %s',
    async (output, { arena }) => {
      const tag = Buffer.from(arena.tag(arena.message), 'hex');
      const texts = [
        tag.toString('hex'),
        tag.toString(output === 'base64' ? 'base64url' : 'base64'),
        ` ${tag.toString(output)}`,
        `${tag.toString(output)}=`,
        // The same bytes but for bits that the encoding does not use.
        tag
          .toString(output)
          .replace(/.(=?)$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1) + last.slice(1)),
      ];
      for (const signature of texts)
        expect(await verify(arena, { message: arena.message, output, signature })).toEqual(noSignature);
    },
  );

  test('A49 each of the 256 bits flipped, alone and in a batch', async ({ arena }) => {
    const tag = Buffer.from(arena.tag(arena.message), 'hex');
    const flipped = Array.from({ length: 256 }, (_, bit) => {
      const other = Buffer.from(tag);
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return { message: arena.message, signature: other.toString('hex') };
    });
    for (const item of flipped) expect(await verify(arena, item)).toEqual(wrong);
    const items = [...flipped, { message: arena.message, signature: tag.toString('hex') }];
    const flaw = { target: `${path}-batch`, body: json({ items }) };
    const { body } = only(await arena.exchange(arena.tcp, request(arena.tcp, flaw)));
    expect(JSON.parse(body)).toEqual({
      results: [...flipped.map(() => wrong), expect.objectContaining({ valid: true })],
    });
  });

  test('A49 a signature of another message, or by another key', async ({ arena }) => {
    const signature = arena.tag(arena.message);
    expect(await verify(arena, { message: `${arena.message}!`, signature })).toEqual(wrong);
    expect(await verify(arena, { message: arena.message, signature: '00'.repeat(32) })).toEqual(wrong);
    const other = { target: '/v1/keys/other/verify', body: json({ message: arena.message, signature }) };
    expect(JSON.parse(only(await arena.exchange(arena.tcp, request(arena.tcp, other))).body)).toEqual(wrong);
  });

  test.for([
    ['no signature', {}],
    ['null', { signature: null }],
    ['an object', { signature: {} }],
    ['a length', { signature: '', length: 0 }],
    ['an algorithm', { signature: '', algorithm: 'none' }],
  ] as const)('A49 %s in place of a signature', async ([, fields], { arena }) => {
    const flaw = { target: path, body: json({ message: arena.message, ...fields }) };
    expectOutcome(arena, await arena.exchange(arena.tcp, build(arena.tcp, '', flaw)), malformed);
  });

  test.for([path, `${path}-batch`])(
    'A66 JSON beside a signature in a header, to %s',
    async (target, { arena }) => {
      // A receiver that passes on the sender's Content-Type makes such a request of what the sender wrote.
      const item = { message: arena.message, signature: arena.tag(arena.message) };
      const body = json(target === path ? item : { items: [item] });
      const flaw = { target, body, more: [`Sec-Signer-Signature: ${'00'.repeat(32)}`] };
      expectOutcome(arena, await arena.exchange(arena.tcp, build(arena.tcp, '', flaw)), malformed);
    },
  );

  test('A49 a message as it is, with a signature header that is none', async ({ arena }) => {
    const right = arena.tag(arena.message);
    for (const value of [
      '',
      ' ',
      '\xff\xfe',
      `${right}, ${right}`,
      `${right}\r\nSec-Signer-Signature: ${right}`,
    ]) {
      const flaw = asItIs(arena, `Sec-Signer-Signature: ${value}`);
      const { status, body } = only(await arena.exchange(arena.tcp, build(arena.tcp, '', flaw)));
      expect({ status, body: JSON.parse(body) }).toEqual({ status: 200, body: noSignature });
    }
    expectOutcome(arena, await arena.exchange(arena.tcp, build(arena.tcp, '', asItIs(arena))), malformed);
    const batch = { ...asItIs(arena), target: `${path}-batch` };
    expectOutcome(arena, await arena.exchange(arena.tcp, build(arena.tcp, '', batch)), unsupported);
  });
});

describe('a key that was replaced', () => {
  test('A50 verifies and signs no more, and each answer is of one generation', async ({ arena }) => {
    const { message, tcp } = arena;
    const old = arena.tag(message);
    const before = await verify(arena, { message, signature: old });
    const items = Array.from({ length: 100 }, () => ({ message }));
    const batch = request(tcp, { target: '/v1/keys/demo/sign-batch', body: json({ items }) });

    arena.rotate();
    const fresh = arena.tag(message);
    await waitFor(async () => {
      const { body } = only(await arena.exchange(tcp, batch));
      const { results }: { results: { signature: string; keyId: string }[] } = JSON.parse(body);
      // Whichever key it was, it was the same for the whole batch.
      expect(new Set(results.map(({ signature, keyId }) => `${keyId} ${signature}`)).size).toBe(1);
      expect([old, fresh]).toContain(results[0]?.signature);
      return results[0]?.signature === fresh ? true : undefined;
    });

    const after = await verify(arena, { message, signature: fresh });
    expect(before).toMatchObject({ valid: true, primary: true });
    expect(after).toMatchObject({ valid: true, primary: true });
    expect(await verify(arena, { message, signature: old })).toEqual({ ...Object(before), primary: false });
    expect(after).not.toEqual(before);
    // Nothing that a caller can send makes the old key sign.
    const { keyId } = before as { keyId: string };
    for (const body of [
      { message, keyId },
      { message, kid: keyId },
      { message, primary: false },
    ])
      expectOutcome(arena, await arena.exchange(tcp, build(tcp, json(body), {})), malformed);
  });
});
