/**
 * Clients that keep their connections. The signer closes one now and then, and says so in the answer before: no request
 * may fail because of it.
 */

import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { post } from '../support/exchange.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const key = randomBytes(32);
const tag = createHmac('sha256', key).update('hello').digest('hex');
const directory = temporaryDirectory();
const socketPath = join(directory.path, 'signer.sock');
const timeout = 180_000;
let signer: Signer;

beforeAll(async () => {
  writeVolume(join(directory.path, 'keys'), { orders: key });
  signer = await startSigner(['--keys', join(directory.path, 'keys'), '--socket', socketPath]);
  await signer.ready();
});
afterAll(async () => {
  expect(await signer.stop()).toBe(0);
  directory[Symbol.dispose]();
});

/** Runs the step so many times, as many at once as given. */
async function repeat(times: number, atOnce: number, step: () => Promise<void>): Promise<void> {
  let left = times;
  const worker = async () => {
    while (left-- > 0) await step();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

describe.each(['tcp', 'socket'] as const)('the client over %s', (transport) => {
  const orders = () =>
    new SignerClient(transport === 'tcp' ? { url: signer.url } : { socketPath }).keySet('orders', 'raw');

  it.each([
    [2000, 1],
    [18_000, 32],
  ])('%i requests, %i at once', { timeout }, async (times, atOnce) => {
    const keySet = orders();
    await repeat(times, atOnce, async () => {
      expect((await keySet.sign({ message: 'hello' })).signature).toBe(tag);
    });
  });

  // What is read from a stream cannot be sent twice.
  it('2,000 messages from streams, 8 at once', { timeout }, async () => {
    const keySet = orders();
    await repeat(2000, 8, async () => {
      expect((await keySet.signMessage(new Blob(['hello']).stream())).signature).toBe(tag);
    });
  });

  it('100 batches of a thousand messages, whose answers are longer than a send buffer', {
    timeout,
  }, async () => {
    const keySet = orders();
    const items = Array.from({ length: 1000 }, () => ({ message: 'hello' }));
    await repeat(100, 4, async () => {
      const results = await keySet.signBatch(items);
      expect(results.filter((each) => 'signature' in each && each.signature === tag)).toHaveLength(1000);
    });
  });
});

it('about one answer in a thousand closes its connection', { timeout }, async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  let closing = 0;
  await repeat(20_000, 16, async () => {
    const { status, headers } = await post(
      signer.url,
      '/v1/keys/orders/sign',
      { message: 'hello' },
      { agent },
    );
    expect(status).toBe(200);
    if (headers['connection'] === 'close') closing += 1;
  });
  agent.destroy();
  // The number varies by chance: beyond these bounds once in ten million runs.
  expect(closing).toBeGreaterThan(2);
  expect(closing).toBeLessThan(50);
});

it('fetch', { timeout }, async () => {
  await repeat(5000, 16, async () => {
    const response = await signer.call('/v1/keys/orders/sign', { message: 'hello' });
    expect(await response.json()).toMatchObject({ signature: tag });
  });
});

it('http.client of Python', { timeout }, async () => {
  const script = `
import http.client, sys
connection = http.client.HTTPConnection(sys.argv[1])
headers = {'Sec-Signer': '1', 'Content-Type': 'application/json'}
opened = 0
for _ in range(10000):
    opened += connection.sock is None
    connection.request('POST', '/v1/keys/orders/sign', '{"message":"hello"}', headers)
    response = connection.getresponse()
    assert response.status == 200 and sys.argv[2] in response.read().decode()
print(opened)
`;
  const { stdout } = await promisify(execFile)('python3', ['-c', script, new URL(signer.url).host, tag]);
  expect(Number(stdout)).toBeLessThan(50);
});

it('the ops listener closes after each answer', async () => {
  for (const path of ['/livez', '/readyz', '/status', '/metrics', '/openapi.json', '/nothing']) {
    const response = await fetch(signer.opsUrl + path);
    expect(response.headers.get('connection')).toBe('close');
    expect(await response.text()).not.toBe('');
  }
});
