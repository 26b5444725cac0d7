/** What one would write by hand on node:http and node:crypto: a message in, a signature out, nothing checked. */

import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const key = createSecretKey(randomBytes(32));
const keyId = randomBytes(8).toString('hex');

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const body = Buffer.concat(parts);
    const isJson = request.headers['content-type'] === 'application/json';
    const message = isJson ? (JSON.parse(body.toString()) as { message: string }).message : body;
    const signature = createHmac('sha256', key).update(message).digest('hex');
    const answer = JSON.stringify({ signature, keyId, algorithm: 'HS256' });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
    response.end(answer);
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');
