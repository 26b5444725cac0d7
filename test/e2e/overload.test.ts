/** More work than the signer takes at once: the excess is refused quickly, the rest is right, memory is bounded. */

import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { post } from '../support/exchange.ts';
import { hasProc, privateMemory } from '../support/process.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const key = randomBytes(32).toString('hex');
const tagOf = (message: string) => createHmac('sha256', key).update(message).digest('hex');
const sign = '/v1/keys/demo/sign';
const mayGrowKiB = 64 * 1024;

/** A request by hand: all connections are made before the first says anything, so that all of them wait together. */
interface Client {
  send(text: string): void;
  /** Undefined until the whole answer has come. */
  answer(): { readonly status: number; readonly retryAfter?: string; readonly body: unknown } | undefined;
}

async function openClient(signer: Signer): Promise<Client> {
  const { hostname, port } = new URL(signer.url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  // A refused sender may find its connection closed; what it was answered counts.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return {
    send: (text) => socket.write(text),
    answer: () => {
      const [head = '', rest = ''] = received.split('\r\n\r\n');
      // The answer to a request that is still being sent comes in one chunk, and ends later.
      const [body] = /\{.*\}/.exec(rest) ?? [];
      if (body === undefined) return undefined;
      const retryAfter = /^retry-after: (.*)$/im.exec(head)?.[1];
      return { status: Number(head.slice(9, 12)), ...(retryAfter && { retryAfter }), body: JSON.parse(body) };
    },
  };
}

async function openClients(signer: Signer, count: number): Promise<readonly Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    // No more at once than the kernel's queue of a listener holds.
    const some = Array.from({ length: Math.min(100, count - clients.length) }, () => openClient(signer));
    clients.push(...(await Promise.all(some)));
  }
  return clients;
}

function head(signer: Signer, fields: Readonly<Record<string, string | number>>): string {
  const all = { host: new URL(signer.url).host, 'sec-signer': '1', ...fields };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${sign} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

const overloaded = { status: 503, retryAfter: '1', body: expect.objectContaining({ code: 'overloaded' }) };
const signed = (message: string) => ({
  status: 200,
  body: expect.objectContaining({ signature: tagOf(message) }),
});

describe.skipIf(!hasProc)('more requests than are taken at the same time', () => {
  it('are refused with Retry-After, and those that were taken get their signatures', async () => {
    const maxPendingRequests = 1024;
    const excess = 200;
    using directory = temporaryDirectory();
    writeVolume(directory.path, { demo: key });
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    const beforeKiB = privateMemory(signer) / 1024;

    const clients = await openClients(signer, maxPendingRequests + excess);
    const message = (index: number) => `message ${index}`.padEnd(20);
    const fields = { 'content-type': 'application/octet-stream', 'content-length': 20 };
    for (const [index, client] of clients.entries()) {
      client.send(head(signer, fields) + message(index).slice(0, 10));
    }
    const refused = () => clients.filter((client) => client.answer() !== undefined);
    await waitFor(() => (refused().length >= excess ? true : undefined));
    const next = await post(signer.url, sign, { message: 'one more' });
    // Its ops listener is not among what is full.
    expect((await fetch(`${signer.opsUrl}/readyz`)).status).toBe(200);
    const grownKiB = privateMemory(signer) / 1024 - beforeKiB;
    const taken = clients.flatMap((client, index) =>
      client.answer() === undefined ? [{ client, index }] : [],
    );
    const refusals = refused().map((client) => client.answer());
    for (const { client, index } of taken) client.send(message(index).slice(10));

    expect(refusals).toEqual(Array.from({ length: excess }, () => overloaded));
    expect(next).toMatchObject({ status: 503, body: { code: 'overloaded' } });
    expect(grownKiB).toBeLessThan(mayGrowKiB);
    for (const { client, index } of taken) {
      expect(await waitFor(client.answer)).toEqual(signed(message(index)));
    }
    const after = await post(signer.url, sign, { message: 'after it' });
    expect(after).toMatchObject(signed('after it'));
  });
});

describe.skipIf(!hasProc)('more JSON than is held at the same time', () => {
  it('is refused with Retry-After unread, and the bodies that were let in get their signatures', async () => {
    using directory = temporaryDirectory();
    writeVolume(directory.path, { demo: key });
    await using signer = await startSigner(['--keys', directory.path]);
    await signer.ready();
    const beforeKiB = privateMemory(signer) / 1024;

    // 24 MB, where 8 MiB may be held.
    const message = 'x'.repeat(60_000);
    const body = JSON.stringify({ message });
    const held = Math.floor((8 * 2 ** 20) / body.length);
    const clients = await openClients(signer, 400);
    const fields = { 'content-type': 'application/json', 'content-length': body.length };
    for (const client of clients) client.send(head(signer, fields) + body.slice(0, -1));
    const refused = () => clients.filter((client) => client.answer() !== undefined);
    await waitFor(() => (refused().length >= clients.length - held ? true : undefined));
    const grownKiB = privateMemory(signer) / 1024 - beforeKiB;
    const taken = clients.filter((client) => client.answer() === undefined);
    const refusals = refused().map((client) => client.answer());
    for (const client of taken) client.send(body.slice(-1));

    expect(refusals).toEqual(Array.from({ length: clients.length - held }, () => overloaded));
    expect(grownKiB).toBeLessThan(mayGrowKiB);
    for (const client of taken) expect(await waitFor(client.answer)).toEqual(signed(message));
  });
});

describe('batches that take long', () => {
  /** A key for each tenant has to be derived. */
  const items = Array.from({ length: 1000 }, (_, index) => ({ tenant: `tenant-${index}`, message: 'm' }));
  const batch = '/v1/keys/tenants/sign-batch';
  const start = async (directory: string) => {
    const config = join(directory, 'config/signer.yaml');
    writeVolume(join(directory, 'keys'), { demo: key, root: randomBytes(32) });
    writeVolume(dirname(config), { 'signer.yaml': 'keys: { demo: , tenants: { deriveFrom: root } }' });
    const signer = await startSigner(['--keys', join(directory, 'keys'), '--config', config]);
    await signer.ready();
    return signer;
  };
  interface Results {
    readonly results: readonly { readonly signature?: string }[];
  }

  it('let other requests pass', async () => {
    using directory = temporaryDirectory();
    await using signer = await start(directory.path);
    let working = true;
    const answer = signer.call(batch, { items }).finally(() => {
      working = false;
    });
    let passed = 0;
    for (; working; passed++) {
      expect(await post(signer.url, sign, { message: 'between' })).toMatchObject(signed('between'));
    }
    const { results } = (await (await answer).json()) as Results;
    expect(results.filter(({ signature }) => signature !== undefined)).toHaveLength(1000);
    // What waits for the whole of it is one or two.
    expect(passed).toBeGreaterThan(10);
  });

  it.skipIf(!hasProc)(
    'are worked on one at a time, and stay within the memory that the manifests give',
    async () => {
      using directory = temporaryDirectory();
      await using signer = await start(directory.path);
      const beforeKiB = privateMemory(signer) / 1024;
      // 40 MB, where 8 MiB may be held, and several times that once it is parsed.
      const full = items.map((item) => ({ ...item, reference: 'r'.repeat(200), message: 'x'.repeat(700) }));
      const body = JSON.stringify({ items: full });
      expect(body.length).toBeGreaterThan(0.9 * 2 ** 20);
      let mostKiB = 0;
      const watch = setInterval(() => {
        mostKiB = Math.max(mostKiB, privateMemory(signer) / 1024);
      }, 20);
      const answers = await Promise.all(
        Array.from({ length: 40 }, () => signer.call(batch, { items: full })),
      );
      clearInterval(watch);
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(3);
      expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
      // The manifests' limit of 96Mi, less what an idle signer has.
      expect(mostKiB - beforeKiB).toBeLessThan(84 * 1024);
    },
  );

  it('are not worked on for callers who have gone', async () => {
    using directory = temporaryDirectory();
    await using signer = await start(directory.path);
    const count = 30;
    const short = items.map(({ tenant }) => ({ tenant, message: '' }));
    const abandoned = Array.from({ length: count }, async () => {
      const signal = AbortSignal.timeout(100);
      await signer.call(batch, { items: short }, { signal }).catch(() => undefined);
    });
    await Promise.all(abandoned);
    const one = await signer.call(batch, { items: items.slice(0, 1) });
    expect(one.status).toBe(200);
    const metrics = await (await fetch(`${signer.opsUrl}/metrics`)).text();
    const [, signatures] =
      /operations_total\{key_set="tenants",[^}]*outcome="ok"\} (\d+)/.exec(metrics) ?? [];
    // Of those that had begun, not of all.
    expect(Number(signatures)).toBeLessThan((count * 1000) / 2);
    expect(Number(signatures)).toBeGreaterThan(0);
  });
});
