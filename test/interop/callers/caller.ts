/**
 * Signs and verifies by the fetch of Node: `node caller.ts ADDRESS`.
 *
 * Prints a line for each answer: the step, the status and the body.
 */

const [, , origin = ''] = process.argv;

async function call(step: string, path: string, body: string | ReadableStream<Uint8Array>, headers: Headers) {
  headers.set('Sec-Signer', '1');
  const signal = AbortSignal.timeout(20_000);
  const init: object = { method: 'POST', headers, body, signal, duplex: 'half' };
  const response = await fetch(origin + path, init);
  const text = await response.text();
  console.log(step, response.status, text);
  return JSON.parse(text);
}

function callJson(step: string, path: string, body: object) {
  return call(step, path, JSON.stringify(body), new Headers({ 'Content-Type': 'application/json' }));
}

/** A message of 5 MB, whose length is not known before. */
function callMessage(step: string, path: string, headers = new Headers()) {
  headers.set('Content-Type', 'application/octet-stream');
  const part = new Uint8Array(50_000).fill('x'.charCodeAt(0));
  let left = 100;
  const message = new ReadableStream<Uint8Array>({
    pull: (controller) => (left-- > 0 ? controller.enqueue(part) : controller.close()),
  });
  return call(step, path, message, headers);
}

const { signature } = await callJson('sign', '/v1/keys/orders/sign', { message: 'hello' });
await callJson('verify', '/v1/keys/orders/verify', { message: 'hello', signature });

const webhook = { body: '{"action":"opened"}' };
const { headers } = await callJson('sign-webhook', '/v1/keys/hooks/sign', webhook);
await callJson('verify-webhook', '/v1/keys/hooks/verify', {
  ...webhook,
  headers: Object.fromEntries(new Headers(headers)),
});

const streamed = await callMessage('sign-stream', '/v1/keys/orders/sign');
await callMessage(
  'verify-stream',
  '/v1/keys/orders/verify',
  new Headers({ 'Sec-Signer-Signature': streamed.signature }),
);

await callJson('problem', '/v1/keys/orders/sign', { message: 5 });
for (let times = 0; times < 30; times++) {
  await callJson('too-large', '/v1/keys/orders/sign', { message: 'x'.repeat(1_200_000) });
}

export {};
