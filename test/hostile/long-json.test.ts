/** The longest JSON on many connections: whatever it holds, the memory stays within what the manifests give. */

import { Agent, request as httpRequest } from 'node:http';
import { describe, expect } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { privateMemory } from '../support/process.ts';
import { test } from './arena.ts';
import { openScene } from './scene.ts';

const mebibyte = 2 ** 20;
const connections = 64;
const forMs = 5000;

/** A JSON text of nearly a mebibyte, made of equal parts. */
const filled = (before: string, unit: string, after: string): Buffer => {
  const room = mebibyte - Buffer.byteLength(before + after);
  return Buffer.from(before + unit.repeat(Math.floor(room / Buffer.byteLength(unit))) + after);
};
const item = JSON.stringify({ message: 'x'.repeat(900), reference: 'r'.repeat(50) });

const bodies: Readonly<Record<string, readonly [operation: string, body: Buffer]>> = {
  ASCII: ['sign', filled('{"message":"', 'a', '"}')],
  'other text': ['sign', filled('{"message":"', '漢é', '"}')],
  escapes: ['sign', filled('{"message":"', '\\u6f22', '"}')],
  base64: ['sign', filled('{"encoding":"base64","message":"', 'qrvM', '"}')],
  'many values': ['sign', filled('{"message":["', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","', '"]}')],
  'too many values': ['sign', filled('{"message":[0', ',[]', ']}')],
  'a batch of one': ['sign-batch', filled('{"items":[{"message":"', 'a', '"}]}')],
  'a batch of a thousand': ['sign-batch', filled(`{"items":[${item}`, `,${item}`, ']}')],
  'a verification': ['verify', filled('{"signature":"00","message":"', 'a', '"}')],
};

interface Sent {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** One request on a connection that stays open. A connection that the signer has closed is no failure. */
function send(
  agent: Agent,
  url: string,
  operation: string,
  body: Buffer,
  declared: boolean,
): Promise<Sent | undefined> {
  return new Promise((resolve) => {
    const headers = {
      'sec-signer': '1',
      'content-type': 'application/json',
      ...(declared && { 'content-length': body.length }),
    };
    const sending = httpRequest(
      `${url}/v1/keys/demo/${operation}`,
      { method: 'POST', agent, headers },
      (response) => {
        response.on('error', () => resolve(undefined));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }),
        );
        response.resume();
      },
    );
    sending.on('error', () => resolve(undefined));
    if (!declared) sending.write(body.subarray(0, 1000));
    sending.end(declared ? body : body.subarray(1000));
  });
}

describe('64 connections, each with a mebibyte of JSON, again and again', () => {
  test.for([...Object.keys(bodies).map((what) => [what]), Object.keys(bodies)])(
    'A61 %j',
    { timeout: 60_000 },
    async (mix) => {
      await using scene = openScene();
      writeVolume(scene.directory, { demo: scene.key() });
      const signer = await scene.start();
      await signer.ready();
      const statuses = new Map<number, number>();
      let most = 0;
      let working = true;
      const watch = setInterval(() => {
        most = Math.max(most, privateMemory(signer));
      }, 5);
      const end = performance.now() + forMs;
      const callers = Array.from({ length: connections }, async (_, index) => {
        const [operation, body] = bodies[mix[index % mix.length] ?? ''] ?? [];
        if (operation === undefined || body === undefined) throw new Error('unknown body');
        using agent = Object.assign(new Agent({ keepAlive: true, maxSockets: 1 }), {
          [Symbol.dispose](this: Agent) {
            this.destroy();
          },
        });
        while (performance.now() < end) {
          const sent = await send(agent, signer.url, operation, body, index % 2 === 0);
          if (sent === undefined) continue;
          statuses.set(sent.status, (statuses.get(sent.status) ?? 0) + 1);
          if (sent.status === 503) expect(sent.retryAfter).toBe('1');
        }
      });
      const small = (async () => {
        let answered = 0;
        for (; working; answered++) {
          const { status } = await signer.call('/v1/keys/demo/sign', { message: 'small' });
          expect(status).toBe(200);
        }
        return answered;
      })();
      await Promise.all(callers);
      working = false;
      clearInterval(watch);
      expect(await small).toBeGreaterThan(3);
      const seen = [...statuses.keys()];
      expect(seen.some((status) => status !== 503)).toBe(true);
      expect(seen.filter((status) => ![200, 400, 413, 503].includes(status))).toEqual([]);
      // The manifests' limit, less the pages of the program that have to stay in memory.
      expect(most).toBeLessThan(86 * mebibyte);
    },
  );
});
