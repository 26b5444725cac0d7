/** A message far larger than the memory is signed and verified as it arrives. */

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { begin, write } from '../support/exchange.ts';
import { hasProc, privateMemory } from '../support/process.ts';
import { startSigner, temporaryDirectory } from '../support/signer.ts';

const partBytes = 2 ** 20;
const parts = 1024;
/** What buffers in flight may take; the message is 128 times as long. */
const mayGrowKiB = 8 * 1024;

const key = randomBytes(32).toString('hex');
const noise = randomBytes(partBytes);

/** 1 GiB of which no two parts are alike, without holding it. */
function* message(): Generator<Buffer> {
  for (let i = 0; i < parts; i++) {
    const part = Buffer.from(noise);
    part.writeUInt32BE(i);
    yield part;
  }
}

function tagOf(parts: Iterable<Buffer>): string {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}

/** Starts a signer with the key, sends it the message and measures how its private memory grows meanwhile. */
async function stream(operation: 'sign' | 'verify', headers: Record<string, string | number>) {
  using directory = temporaryDirectory();
  writeVolume(directory.path, { big: key });
  await using signer = await startSigner(['--keys', directory.path]);
  await signer.ready();
  const beforeKiB = privateMemory(signer) / 1024;
  let peakKiB = beforeKiB;
  const exchange = begin(signer.url, `/v1/keys/big/${operation}`, { headers });
  for (const part of message()) {
    await write(exchange, part);
    peakKiB = Math.max(peakKiB, privateMemory(signer) / 1024);
  }
  exchange.request.end();
  const { status, body } = await exchange.answer;
  return { status, body, grownKiB: peakKiB - beforeKiB };
}

describe.skipIf(!hasProc)('a message of 1 GiB', { timeout: 300_000 }, () => {
  it('in chunks is signed in constant memory, with the tag of node:crypto', async () => {
    const { status, body, grownKiB } = await stream('sign', { 'transfer-encoding': 'chunked' });
    expect(status).toBe(200);
    expect(body['signature']).toBe(tagOf(message()));
    expect(grownKiB).toBeLessThan(mayGrowKiB);
  });

  it('of declared length is verified in constant memory', async () => {
    const headers = { 'sec-signer-signature': tagOf(message()), 'content-length': parts * partBytes };
    const { body, grownKiB } = await stream('verify', headers);
    expect(body).toMatchObject({ valid: true, primary: true });
    expect(grownKiB).toBeLessThan(mayGrowKiB);
  });
});
