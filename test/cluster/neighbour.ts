/**
 * What stands beside the signer in the pods under test. As a frontend it signs through the signer and gives away any
 * file that it can read; by its commands it puts load on the signer, follows a volume, or sweeps its container.
 */

import { lstatSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { openVolume } from '../../src/secret-volume/index.ts';

const socket = process.env['SIGNER_SOCKET'];

interface Signed {
  readonly signature: string;
  readonly keyId: string;
}

async function sign(message: string): Promise<Signed> {
  const response = await fetch('http://127.0.0.1:8700/v1/keys/orders/sign', {
    method: 'POST',
    headers: {
      'sec-signer': '1',
      'content-type': 'application/json',
      ...(socket !== undefined && { host: 'localhost' }),
    },
    body: JSON.stringify({ message }),
    ...(socket !== undefined && { unix: socket }),
  });
  if (!response.ok) throw new Error(`the signer answers ${response.status}`);
  return (await response.json()) as Signed;
}

/** Serves until SIGTERM, and on for as long as requests may still be on their way. */
function serve(): void {
  let stopping = false;
  const server = Bun.serve({
    hostname: '0.0.0.0',
    port: 8080,
    fetch: async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      try {
        if (pathname === '/') return new Response('shop', { status: stopping ? 503 : 200 });
        if (pathname === '/sign') return Response.json(await sign(searchParams.get('message') ?? ''));
        // The hole: any path will do.
        if (pathname === '/read') return new Response(await Bun.file(searchParams.get('path') ?? '').bytes());
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
      return new Response('not found', { status: 404 });
    },
  });
  process.on('SIGTERM', async () => {
    stopping = true;
    await delay(2000);
    await server.stop();
    process.exit(0);
  });
}

/** Signs without a pause until standard input ends, then reports. */
async function load(): Promise<void> {
  let running = true;
  let requests = 0;
  const failures: string[] = [];
  const keyIds = new Set<string>();
  const loop = async () => {
    while (running) {
      try {
        keyIds.add((await sign(`message ${requests++}`)).keyId);
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${error}`);
      }
    }
  };
  const loops = [loop(), loop(), loop(), loop()];
  process.stdout.write('loading\n');
  await Bun.stdin.text();
  running = false;
  await Promise.all(loops);
  process.stdout.write(
    `${JSON.stringify({ requests, failures: failures.slice(0, 10), failed: failures.length, keyIds: [...keyIds] })}\n`,
  );
}

/** One line for each generation that the library publishes, with the time of the kubelet's swap. */
function follow(directory: string): void {
  const volume = openVolume(directory);
  volume.onChange((change) => {
    const names = volume.current?.names ?? [];
    const swappedAt = lstatSync(`${directory}/..data`).mtime.toISOString();
    process.stdout.write(
      `${JSON.stringify({ ...change, names, at: new Date().toISOString(), swappedAt })}\n`,
    );
  });
  volume.onProblem(({ message }) => process.stdout.write(`${JSON.stringify({ problem: message })}\n`));
}

const [command = 'serve', argument = ''] = process.argv.slice(2);
if (command === 'serve') serve();
else if (command === 'load') await load();
else if (command === 'follow') follow(argument);
else if (command === 'sweep') await import('../support/sweep.ts');
