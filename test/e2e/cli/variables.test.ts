/** A container that is configured by variables alone: every command there speaks of what `serve` serves. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { keyId } from '../../../src/signing/mac.ts';
import { writeVolume } from '../../support/atomic-writer.ts';
import { run } from '../../support/command.ts';
import { freePort } from '../../support/free-port.ts';
import { binary, temporaryDirectory, waitFor } from '../../support/signer.ts';

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

const [orders, root] = [randomBytes(32), randomBytes(32)];
const keys = join(directory.path, 'keys');
const config = join(directory.path, 'config/signer.yaml');
const yaml = `keys:
  orders: { encoding: hex, algorithm: HS512, allow: [sign, verify] }
  hooks: { deriveFrom: root, encoding: hex, format: standard-webhooks, allowExport: true }
`;
writeVolume(keys, { orders: orders.toString('hex'), root: root.toString('hex'), unused: 'x' });
writeVolume(join(directory.path, 'config'), { 'signer.yaml': yaml });

/** An address of this machine as a pod has one, which is not loopback where there is one. */
const own =
  Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.2';

describe.each<[string, () => Promise<Record<string, string>>]>([
  [
    'over a socket, as in the manifests',
    async () => ({
      SIGNER_LISTEN: 'none',
      SIGNER_SOCKET: join(directory.path, 'signer.sock'),
      SIGNER_SOCKET_MODE: '0666',
      SIGNER_OPS_LISTEN: `[${own}]:${await freePort()}`,
    }),
  ],
  [
    'over the loopback',
    async () => ({
      SIGNER_LISTEN: `127.0.0.1:${await freePort()}`,
      SIGNER_OPS_LISTEN: `[${own}]:${await freePort()}`,
    }),
  ],
  [
    'over the address of the machine, without an ops listener',
    async () => ({
      SIGNER_LISTEN: `${own}:${await freePort()}`,
      SIGNER_ALLOW_REMOTE: 'true',
      SIGNER_OPS_LISTEN: 'none',
    }),
  ],
])('%s', (_, addresses) => {
  it('check, healthcheck, keys list, keys derive, sign and verify need no flag', async () => {
    const env = { SIGNER_KEYS: keys, SIGNER_CONFIG: config, ...(await addresses()) };
    const command = (...args: readonly string[]) => run(args, { env, input: 'hello' });
    expect(await command('healthcheck')).toMatchObject({ code: 1, stdout: '' });
    const serving = spawn(binary, ['serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(async () => {
      serving.kill('SIGKILL');
      if (serving.exitCode === null) await once(serving, 'exit');
    });
    serving.stdout.resume();

    await waitFor(async () => ((await command('healthcheck')).code === 0 ? true : undefined));
    expect(await command('healthcheck')).toEqual({ code: 0, stdout: '', stderr: '' });
    const { keys: served } = JSON.parse((await command('keys', 'list', '--json')).stdout);
    const { valid, keys: checked } = JSON.parse((await command('check', '--json')).stdout);
    expect(valid).toBe(true);
    const facts = ({ name, format, algorithm, allow, keyIds }: Record<string, unknown>) => ({
      name,
      format,
      algorithm,
      allow,
      keyIds,
    });
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect(checked.sort(byName).map(facts)).toEqual(served.sort(byName).map(facts));
    expect(served.map(({ name, primary }: Record<string, string>) => [name, primary])).toEqual([
      ['hooks', keyId(root)],
      ['orders', keyId(orders)],
    ]);
    const derived = await command('keys', 'derive', 'hooks', 'acme');
    const flags = ['--keys', keys, '--config', config];
    expect(derived).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^whsec_/) });
    expect(derived).toEqual(await run(['keys', 'derive', 'hooks', 'acme', ...flags]));
    const signature = (await command('sign', 'orders')).stdout.trim();
    expect(signature).toMatch(/^[0-9a-f]{128}$/);
    expect(await command('verify', 'orders', signature)).toMatchObject({ code: 0, stderr: '' });
  });
});
