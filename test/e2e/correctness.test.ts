/** Every tag the binary gives is the one that node:crypto and @noble/hashes compute. Other programs are in interop. */

import { createHmac, randomInt } from 'node:crypto';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { type Answer, post } from '../support/exchange.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const outputs = ['hex', 'base64', 'base64url'] as const;
const encodings = ['utf8', 'base64', 'hex'] as const;

/** One key with one message, and how it is sent. */
const sample = fc.record({
  // Shorter and longer than a block, of which HMAC makes different things (RFC 2104 §2).
  key: fc.uint8Array({ minLength: 16, maxLength: 150, size: 'max' }),
  message: fc.oneof(
    // JSON text carries every Unicode scalar value but NUL.
    fc.string({ unit: 'binary', maxLength: 300, size: 'max' }).map((text) => text.replaceAll('\0', '.')),
    fc.uint8Array({ maxLength: 600, size: 'max' }),
  ),
  way: fc.constantFrom('json', 'stream', 'batch'),
  encoding: fc.constantFrom(...encodings),
  output: fc.constantFrom(...outputs, undefined),
});
type Sample = typeof sample extends fc.Arbitrary<infer T> ? T : never;

/** The message as a JSON request writes it; bytes cannot be text. */
function asJson(message: string | Uint8Array, encoding: (typeof encodings)[number]): object {
  if (typeof message === 'string' && encoding === 'utf8') return { message };
  const safe = encoding === 'utf8' ? 'base64' : encoding;
  return { message: Buffer.from(message).toString(safe), encoding: safe };
}

/** Asks for the signature of a sample in its way: one signature, or a batch of all the ways to ask for it. */
async function signatures(
  signer: Signer,
  agent: Agent,
  path: string,
  { message, way, encoding, output }: Sample,
): Promise<readonly { readonly signed: unknown; readonly output: (typeof outputs)[number] | undefined }[]> {
  const ask = (operation: string, body: Uint8Array | object): Promise<Answer> =>
    post(signer.url, `${path}/${operation}`, body, { agent });
  switch (way) {
    case 'stream':
      return [{ signed: (await ask('sign', Buffer.from(message))).body, output: undefined }];
    case 'json': {
      const { body } = await ask('sign', { ...asJson(message, encoding), ...(output && { output }) });
      return [{ signed: body, output }];
    }
    case 'batch': {
      const asked = outputs.flatMap((each) => encodings.map((written) => [each, written] as const));
      const items = asked.map(([each, written]) => ({ ...asJson(message, written), output: each }));
      const { body } = await ask('sign-batch', { items });
      const results = body['results'] as unknown[];
      return asked.map(([each], i) => ({ signed: results[i], output: each }));
    }
  }
}

describe('random messages under random keys', () => {
  it('get the tags of node:crypto and of @noble/hashes, in every encoding, and these verify', {
    timeout: 300_000,
  }, async () => {
    const seed = randomInt(2 ** 31);
    const samples = fc.sample(sample, { seed, numRuns: 4000 });
    expect(samples.filter(({ key }) => key.length > 64).length).toBeGreaterThan(400);
    // A volume holds at most 1,024 files.
    const perVolume = 1000;
    using directory = temporaryDirectory();
    const flags: string[] = [];
    for (let start = 0; start < samples.length; start += perVolume) {
      const volume = join(directory.path, String(start));
      // Random keys may repeat one byte or end like a text file, which are refused: the index makes them proper.
      const keys = samples
        .slice(start, start + perVolume)
        .map((each, i) => [`k${start + i}`, keyOf(each, start + i)]);
      writeVolume(volume, Object.fromEntries(keys));
      flags.push('--keys', volume);
    }
    await using signer = await startSigner(flags);
    await signer.ready();
    const agent = new Agent({ keepAlive: true });

    let compared = 0;
    const check = async (each: Sample, index: number) => {
      const where = `seed ${seed}, sample ${index} (${each.way})`;
      const key = keyOf(each, index);
      const message = Buffer.from(each.message);
      const tag = createHmac('sha256', key).update(message).digest();
      expect(Buffer.from(hmac(sha256, key, message)).equals(tag), where).toBe(true);
      const keyId = createHmac('sha256', key).update('sidecar-signer key id').digest('hex').slice(0, 16);
      const path = `/v1/keys/k${index}`;

      for (const { signed, output } of await signatures(signer, agent, path, each)) {
        const signature = tag.toString(output ?? 'hex');
        expect(signed, where).toEqual({ signature, keyId, algorithm: 'HS256' });
        compared++;
      }
      const verification = { ...asJson(each.message, each.encoding), signature: tag.toString('hex') };
      const { body } = await post(signer.url, `${path}/verify`, verification, { agent });
      expect(body, where).toEqual({ valid: true, keyId, primary: true });
    };
    const pending = samples.entries();
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (const [index, each] of pending) await check(each, index);
      }),
    );
    agent.destroy();
    // Every third sample or so is a batch of nine.
    expect(compared).toBeGreaterThan(10_000);
  });
});

/** The key of a sample; its index is in it, so that no two are the same and none is refused as weak. */
function keyOf({ key }: Sample, index: number): Buffer {
  const distinct = Buffer.alloc(5);
  distinct.writeUInt32BE(index);
  distinct.writeUInt8(0xff, 4);
  return Buffer.concat([key, distinct]);
}
