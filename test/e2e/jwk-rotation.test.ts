/**
 * The documented rotation of a JWK set over two replicas, whose kubelets update at different times, while each verifies
 * what the other signs without pause.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { binary, type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const rotations = 5;
const entry = 'session.jwks.json';

const directory = temporaryDirectory();
const source = join(directory.path, entry);
const replicas: { readonly volume: string; readonly signer: Signer; readonly client: SignerClient }[] = [];

beforeAll(async () => {
  keys('new', source, '--kid', 'key-0');
  for (const name of ['a', 'b']) {
    const volume = join(directory.path, name);
    mkdirSync(volume);
    writeVolume(volume, { [entry]: readFileSync(source) });
    const signer = await startSigner(['--keys', volume]);
    await signer.ready();
    replicas.push({ volume, signer, client: new SignerClient({ url: signer.url }) });
  }
});
afterAll(async () => {
  await Promise.all(replicas.map(({ signer }) => signer.stop()));
  directory[Symbol.dispose]();
});

it('verifies every signature of the other replica while the set is rotated by the documented steps', async () => {
  let verified = 0;
  let ended = false;
  const failures: string[] = [];
  const primaries = new Set<string>();

  /** Signs at one replica and verifies at the other, again and again. */
  const exchange = async (from: SignerClient, to: SignerClient) => {
    while (!ended) {
      const message = `message ${verified}`;
      try {
        const { signature, keyId } = await from.keySet(entry, 'raw').sign({ message });
        const verdict = await to.keySet(entry, 'raw').verify({ message, signature });
        primaries.add(keyId);
        if (verdict.valid && verdict.keyId === keyId) verified++;
        else failures.push(`${keyId}: ${JSON.stringify(verdict)}`);
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const traffic = replicas.flatMap(({ client: from }) =>
    replicas.map(({ client: to }) => exchange(from, to)),
  );

  for (let rotation = 1; rotation <= rotations; rotation++) {
    const [before, after] = [`key-${rotation - 1}`, `key-${rotation}`];
    await step(['add', source, '--kid', after], ({ keyIds }) => keyIds.includes(after));
    await step(['promote', source, after], ({ primary }) => primary === after);
    // What the old key signed is used up when as much again has been verified.
    const enough = verified + 20;
    await waitFor(() => (verified >= enough ? true : undefined));
    await step(['remove', source, before], ({ keyIds }) => !keyIds.includes(before));
  }
  ended = true;
  await Promise.all(traffic);

  expect(failures).toEqual([]);
  expect(verified).toBeGreaterThan(rotations * 20);
  expect([...primaries]).toEqual(Array.from({ length: rotations + 1 }, (_, index) => `key-${index}`));
}, 120_000);

/** Takes a step of the rotation, brings it to one replica after the other, and waits until both have it. */
async function step(
  args: readonly string[],
  isDone: (keySet: { readonly keyIds: readonly string[]; readonly primary: string }) => boolean,
): Promise<void> {
  keys(...args);
  for (const { volume, client } of replicas) {
    writeVolume(volume, { [entry]: readFileSync(source) });
    await waitFor(async () => (isDone(await client.keySet(entry, 'raw').describe()) ? true : undefined));
  }
}

function keys(...args: readonly string[]): void {
  execFileSync(binary, ['keys', ...args], { stdio: 'pipe' });
}
