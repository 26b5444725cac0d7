/** The same on Bun.serve: what is to be had of the runtime when nothing is checked. */

import { createHmac, createSecretKey, randomBytes } from 'node:crypto';

const key = createSecretKey(randomBytes(32));
const keyId = randomBytes(8).toString('hex');

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  development: false,
  fetch: async (request) => {
    const isJson = request.headers.get('content-type') === 'application/json';
    const message = isJson
      ? ((await request.json()) as { message: string }).message
      : new Uint8Array(await request.arrayBuffer());
    const signature = createHmac('sha256', key).update(message).digest('hex');
    return Response.json({ signature, keyId, algorithm: 'HS256' });
  },
});
