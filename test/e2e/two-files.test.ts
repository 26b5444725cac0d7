/** Rotation with two files, `orders` and `alsoVerify: [orders.previous]`, on the compiled binary. */

import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Payload, writeVolume } from '../support/atomic-writer.ts';
import { run } from '../support/command.ts';
import { leaksOfAny } from '../support/leaks.ts';
import { type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';
import { startWriter } from '../support/writer-process.ts';

const message = 'signed before, during and after';
const orders = (fields = '') =>
  `keys: { orders: { encoding: hex, alsoVerify: [orders.previous], ${fields} } }`;

interface TestKey {
  readonly hex: string;
  readonly id: string;
  readonly signature: string;
}

const secrets: Buffer[] = [];
function newKey(): TestKey {
  const bytes = randomBytes(32);
  secrets.push(bytes);
  const hmac = (text: string) => createHmac('sha256', bytes).update(text).digest('hex');
  return {
    hex: bytes.toString('hex'),
    id: hmac('sidecar-signer key id').slice(0, 16),
    signature: hmac(message),
  };
}

const pair = (primary: TestKey, previous?: TestKey): Payload => ({
  orders: primary.hex,
  ...(previous !== undefined && { 'orders.previous': previous.hex }),
});

/** Directories for keys and a configuration, and signers that read them. */
function place(yaml = orders()) {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  const [keys, config] = [join(directory.path, 'keys'), join(directory.path, 'config')];
  const configure = (text: string) => writeVolume(config, { 'signer.yaml': text });
  configure(yaml);
  const start = async () => {
    const signer = await startSigner(['--keys', keys, '--config', join(config, 'signer.yaml')]);
    onTestFinished(() => signer[Symbol.asyncDispose]());
    await signer.ready();
    return signer;
  };
  return { keys, configure, put: (content: Payload) => writeVolume(keys, content), start };
}

const post = async (signer: Signer, operation: string, body: object) => {
  const answer = await signer.call(`/v1/keys/orders/${operation}`, body);
  const parsed = (await answer.json()) as Record<string, unknown>;
  if (!answer.ok) throw new Error(`${operation} was answered ${answer.status} ${parsed['code']}`);
  return parsed;
};
const verifies = async (signer: Signer, { signature }: TestKey) =>
  (await post(signer, 'verify', { message, signature }))['valid'];
const keyIds = async (signer: Signer) => {
  const answer = await signer.call('/v1/keys/orders');
  return ((await answer.json()) as { keyIds: string[] }).keyIds;
};
/** Waits until a signer has exactly these keys, the primary first. */
const has = (signer: Signer, ...expected: readonly TestKey[]) =>
  waitFor(async () => (`${await keyIds(signer)}` === `${expected.map(({ id }) => id)}` ? true : undefined));

/** Signs and verifies without pause. What has just been signed, and what `stays` signed, has to verify. */
function startLoad(signer: Signer) {
  const state = { answers: 0, faults: [] as string[], ended: false };
  let [stays, tried]: (TestKey | undefined)[] = [];
  const check = (body: Record<string, unknown>, what: string) => {
    state.answers++;
    if (body['valid'] !== true) state.faults.push(`${what} did not verify: ${body['reason']}`);
  };
  const loop = async (step: () => Promise<void>) => {
    while (!state.ended) await step().catch((error) => state.faults.push(String(error)));
  };
  const signAndVerify = async () => {
    const { signature } = await post(signer, 'sign', { message });
    check(await post(signer, 'verify', { message, signature }), 'a new signature');
  };
  const verifyOld = async () => {
    tried = stays;
    if (tried === undefined) return void (await new Promise(setImmediate));
    const { signature } = tried;
    check(await post(signer, 'verify', { message, signature }), 'an old signature');
  };
  const running = [signAndVerify, signAndVerify, verifyOld].map(loop);
  const end = async () => {
    state.ended = true;
    await Promise.all(running);
    expect(state.faults).toEqual([]);
    expect(state.answers).toBeGreaterThan(10);
  };
  /** What this key has signed is to verify from now on. Resolves when nothing else is under way. */
  const expectKept = async (key: TestKey | undefined) => {
    stays = key;
    await waitFor(() => (tried === key ? true : undefined));
  };
  return { expectKept, end };
}

describe('a rotation under load', () => {
  it('fails no request, and what was signed before it verifies before, during and after a restart', {
    timeout: 120_000,
  }, async () => {
    const writer = startWriter();
    onTestFinished(() => void writer.kill());
    const { keys, put, start } = place();
    let [old, current] = [newKey(), newKey()];
    put(pair(current, old));
    let signer = await start();
    for (let restart = 0; restart < 3; restart++) {
      const load = startLoad(signer);
      for (let rotation = 0; rotation < 20; rotation++) {
        await load.expectKept(current);
        [old, current] = [current, newKey()];
        // Another process writes, as the kubelet does.
        await writer.call.write(keys, pair(current, old));
        await has(signer, current, old);
      }
      await load.end();
      await signer.stop();
      signer = await start();
      expect(await keyIds(signer)).toEqual([current.id, old.id]);
      expect([await verifies(signer, old), await verifies(signer, current)]).toEqual([true, true]);
    }
  });

  it('fails no request where "keys rotate" changes the files of a plain directory', {
    timeout: 120_000,
  }, async () => {
    const { keys, start } = place();
    mkdirSync(keys);
    const first = newKey();
    writeFileSync(join(keys, 'orders'), first.hex);
    const signer = await start();
    const load = startLoad(signer);
    await load.expectKept(first);
    for (let rotation = 0; rotation < 20; rotation++) {
      const args = ['--encoding', 'hex', '--replace-previous', '--json', join(keys, 'orders')];
      const { code, stdout } = await run(['keys', 'rotate', ...args]);
      expect(code).toBe(0);
      const { keyId, previousKeyId } = JSON.parse(stdout);
      await waitFor(async () =>
        `${await keyIds(signer)}` === `${keyId},${previousKeyId}` ? true : undefined,
      );
      // From the second rotation on, the first key is not kept.
      await load.expectKept(undefined);
    }
    await load.end();
    expect(await verifies(signer, first)).toBe(false);
  });
});

describe('two replicas', () => {
  it.each([
    ['the one first', [0, 1]],
    ['the other first', [1, 0]],
  ])('that are updated one after the other verify what the old key signed: %s', async (_, order) => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    const places = [place(), place()];
    for (const each of places) each.put(pair(a));
    const signers = await Promise.all(places.map(({ start }) => start()));
    for (const [primary, previous] of [
      [b, a],
      [c, b],
    ] as const) {
      for (const index of order) {
        const [at, signer] = [places[index], signers[index]];
        if (at === undefined || signer === undefined) throw new Error('no such replica');
        at.put(pair(primary, previous));
        await has(signer, primary, previous);
        for (const each of signers) expect(await verifies(each, previous)).toBe(true);
      }
      for (const each of signers) {
        expect(await keyIds(each)).toEqual([primary.id, previous.id]);
        expect(await verifies(each, primary)).toBe(true);
      }
    }
    // A third one that starts now is like them.
    const young = await places[0]?.start();
    expect(young && (await keyIds(young))).toEqual([c.id, b.id]);
  });

  it('verify the new key at any moment if a third file brings it before it signs', async () => {
    const yaml = 'keys: { orders: { encoding: hex, alsoVerify: [orders.previous, orders.next] } }';
    const [a, b] = [newKey(), newKey()];
    const places = [place(yaml), place(yaml)];
    for (const each of places) each.put(pair(a));
    const signers = await Promise.all(places.map(({ start }) => start()));
    const update = async (content: Payload, ...expected: readonly TestKey[]) => {
      for (const [index, each] of places.entries()) {
        each.put(content);
        const signer = signers[index];
        if (signer !== undefined) await has(signer, ...expected);
        const signed = await Promise.all(signers.map((one) => post(one, 'sign', { message })));
        for (const { signature } of signed) {
          for (const one of signers) {
            expect(await post(one, 'verify', { message, signature })).toMatchObject({ valid: true });
          }
        }
      }
    };
    await update({ ...pair(a), 'orders.next': b.hex }, a, b);
    await update(pair(b, a), b, a);
  });
});

describe('a key in orders.previous', () => {
  it('verifies as soon as the file is there, and ends as soon as it is not', async () => {
    const [a, b] = [newKey(), newKey()];
    const { put, start } = place(orders('retainPreviousSeconds: 3600'));
    put(pair(b));
    const signer = await start();
    expect(await verifies(signer, a)).toBe(false);
    put(pair(b, a));
    await has(signer, b, a);
    expect(await post(signer, 'verify', { message, signature: a.signature })).toEqual({
      valid: true,
      keyId: a.id,
      primary: false,
    });
    put(pair(b));
    await has(signer, b);
    expect(await verifies(signer, a)).toBe(false);
    put({ ...pair(b), 'orders.previous': '' });
    put(pair(b, a));
    await has(signer, b, a);
  });

  it('begins and ends with the configuration that names it', async () => {
    const [a, b] = [newKey(), newKey()];
    const without = 'keys: { orders: { encoding: hex, retainPreviousSeconds: 3600 } }';
    const { put, configure, start } = place(without);
    put(pair(b, a));
    const signer = await start();
    expect([await verifies(signer, a), await keyIds(signer)]).toEqual([false, [b.id]]);
    configure(orders());
    await has(signer, b, a);
    expect(await verifies(signer, a)).toBe(true);
    configure(without);
    await has(signer, b);
    expect(await verifies(signer, a)).toBe(false);
  });

  it('keeps the last good keys in use if its file is wrong, and says which file that is', async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    const { put, start } = place();
    put(pair(b, a));
    const signer = await start();
    put({ orders: c.hex, 'orders.previous': 'no hex' });
    await waitFor(() => (signer.output().includes('(alsoVerify.0)') ? true : undefined));
    expect(await keyIds(signer)).toEqual([b.id, a.id]);
    put(pair(c, b));
    await has(signer, c, b);
  });

  it('is listed by "keys list", and is noted in the log at level info while it is not there', async () => {
    const [a, b] = [newKey(), newKey()];
    const { put, start } = place();
    put(pair(b));
    const signer = await start();
    const note = 'a key set takes no key from alsoVerify.0: its file is not there';
    const lines = () => signer.output().split('\n').slice(0, -1);
    const noted = await waitFor(() => {
      const found = lines().filter((line) => line.includes(note));
      return found.length > 0 ? found.map((line) => JSON.parse(line)) : undefined;
    });
    expect(noted).toContainEqual(expect.objectContaining({ level: 'info', key: 'orders', msg: note }));
    expect(noted.every(({ level }) => level === 'info')).toBe(true);
    put(pair(b, a));
    await has(signer, b, a);
    const { stdout } = await run(['keys', 'list', '--listen', new URL(signer.url).host]);
    expect(stdout).toBe(`orders  raw  HS256  primary ${b.id}, also verifies ${a.id}\n`);
    expect(leaksOfAny(signer.output() + stdout, secrets)).toEqual([]);
  });
});
