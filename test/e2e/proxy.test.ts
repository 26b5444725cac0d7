/** A proxy that the environment names sees nothing of what the client and the commands send to the signer. */

import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { keyId } from '../../src/signing/mac.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { run } from '../support/command.ts';
import { type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';

const key = randomBytes(32);
const signature = createHmac('sha256', key).update('hello').digest('hex');
const directory = temporaryDirectory();
const socketPath = join(directory.path, 'signer.sock');
const seen: string[] = [];
/** Answers for the signer what a caller would like to hear. */
const proxy = createServer((request, response) => {
  seen.push(`${request.method} ${request.url}`);
  response.end('{"valid":true,"keyId":"proxy","primary":true,"signature":"proxy","ready":true,"keys":[]}');
});
proxy.on('connect', ({ url }, socket) => {
  seen.push(`CONNECT ${url}`);
  socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
});
let signer: Signer;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  env = { HTTP_PROXY: url, http_proxy: url, ALL_PROXY: url, NODE_USE_ENV_PROXY: '1' };
  writeVolume(join(directory.path, 'keys'), { orders: key });
  signer = await startSigner(['--keys', join(directory.path, 'keys'), '--socket', socketPath]);
  await signer.ready();
});
beforeEach(() => {
  seen.length = 0;
});
afterAll(async () => {
  await signer.stop();
  proxy.close();
  directory[Symbol.dispose]();
});

describe.each<[string, () => { url: string } | { socketPath: string }]>([
  ['over TCP', () => ({ url: signer.url })],
  ['over a Unix socket', () => ({ socketPath })],
])('the client %s', (_, options) => {
  it.each([
    ['Node', process.execPath, ['--input-type=module']],
    ['Bun', 'bun', []],
  ])('on %s', async (_, runtime, flags) => {
    const index = join(import.meta.dirname, '../../src/client/index.ts');
    const script = `
      import { SignerClient } from ${JSON.stringify(index)};
      await fetch('${signer.url}/in-proof').catch(() => undefined);
      const orders = new SignerClient(${JSON.stringify(options())}).keySet('orders', 'raw');
      const { signature } = await orders.sign({ message: 'hello' });
      const streamed = await orders.signMessage(new Blob(['hello']).stream());
      const { valid } = await orders.verify({ message: 'another', signature });
      console.log(JSON.stringify([signature, streamed.signature, valid]));`;
    const { stdout } = await promisify(execFile)(runtime, [...flags, '-e', script], {
      env: { ...env, PATH: process.env['PATH'] },
    });
    expect(JSON.parse(stdout)).toEqual([signature, signature, false]);
    // What is sent without the client does go there: by a tunnel or by its URL.
    expect(seen).toEqual([expect.stringContaining(new URL(signer.url).host)]);
  });
});

describe.each<[string, () => readonly string[], () => readonly string[]]>([
  [
    'over TCP',
    () => ['--listen', new URL(signer.url).host],
    () => ['--ops-listen', new URL(signer.opsUrl).host],
  ],
  ['over a Unix socket', () => ['--socket', socketPath], () => ['--ops-listen', 'none']],
])('%s, the command', (_, target, opsTarget) => {
  it.each([
    ['sign', ['sign', 'orders'], 0, `${signature}\n`],
    ['verify', ['verify', 'orders', '00'.repeat(32)], 1, 'not valid: mismatch\n'],
    ['keys list', ['keys', 'list'], 0, `orders  raw  HS256  primary ${keyId(key)}\n`],
  ])('%s', async (_, args, code, stdout) => {
    expect(await run([...args, ...target()], { env, input: 'hello' })).toEqual({ code, stdout, stderr: '' });
    expect(seen).toEqual([]);
  });

  it('healthcheck', async () => {
    const args = ['healthcheck', ...target(), ...opsTarget()];
    expect(await run(args, { env })).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(seen).toEqual([]);
  });
});
