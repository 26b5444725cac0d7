/** The shop of the demo: a page, its API, and a deliberate bug that lets anyone read any file. */

import { join } from 'node:path';
import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { HTTPException } from 'hono/http-exception';
import { secureHeaders } from 'hono/secure-headers';
import { SignerError } from 'sidecar-signer/client';
import { readAnyFile } from './any-file.ts';
import { shopWithOwnKey } from './own-key.ts';
import { pageFiles } from './page-files.ts';
import { shopWithSigner } from './shop.ts';

const { PORT = '8080', SIGNER_SOCKET, SIGNER_URL, SHOP_KEYS } = process.env;
/** The ports at which a browser reaches the two shops. */
const { SHOP_PORT = '8080', EXPOSED_SHOP_PORT = '8081' } = process.env;
const [ownPort, otherPort] =
  SHOP_KEYS === undefined ? [SHOP_PORT, EXPOSED_SHOP_PORT] : [EXPOSED_SHOP_PORT, SHOP_PORT];
/** The page attacks both shops, so each shop answers the page of the other one, and that of nobody else. */
const otherShop = [`http://localhost:${otherPort}`, `http://127.0.0.1:${otherPort}`];

const shop =
  SHOP_KEYS !== undefined
    ? shopWithOwnKey(SHOP_KEYS)
    : shopWithSigner({
        ...(SIGNER_URL !== undefined && { url: SIGNER_URL }),
        ...(SIGNER_SOCKET !== undefined && { socketPath: SIGNER_SOCKET }),
      });

const HERE = SHOP_KEYS === undefined ? 'signer-shop' : 'exposed-shop';
const page = pageFiles({ HERE, SHOP_PORT, EXPOSED_SHOP_PORT });

const app = new Hono();
app.use(
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'", ...page.scriptHashes],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      fontSrc: ["'self'"],
      connectSrc: ["'self'", ...otherShop],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    strictTransportSecurity: false,
  }),
);

app.use(cors({ origin: otherShop }));

app.get('/api/keys', async (c) => c.json(await shop.keys()));

app.post('/api/orders', async (c) => {
  const body = JSON.stringify({
    type: 'order.paid',
    timestamp: new Date().toISOString(),
    data: { item: await text(c, 'item') },
  });
  const { headers, keyId } = await shop.signOrder(body);
  const sent = await fetch(`http://127.0.0.1:${PORT}/webhooks`, { method: 'POST', headers, body });
  return c.json({ body, headers, keyId, accepted: sent.ok });
});

/** The receiver of the webhooks. In the demo it is the shop itself. Anyone can send requests here. */
app.post('/webhooks', async (c) => {
  const verdict = await shop.verifyOrder(await c.req.text(), c.req.header());
  return c.json(verdict, verdict.valid ? 200 : 401);
});

app.post('/api/session', async (c) => c.json(await shop.startSession(await text(c, 'user'))));
app.get('/api/session', async (c) => {
  const token = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
  const verdict = await shop.verifySession(token);
  return c.json(verdict, verdict.valid ? 200 : 401);
});

// The bug: the name of an invoice becomes a path without a check that it stays in the folder.
app.get('/invoices', async (c) => {
  const path = join(import.meta.dirname, 'invoices', c.req.query('name') ?? '');
  try {
    return c.body(await readAnyFile(path), 200, { 'content-type': 'text/plain; charset=utf-8' });
  } catch (error) {
    return c.text(`${(error as NodeJS.ErrnoException).code}: ${path}`, 404);
  }
});

app.route('/', page.files);

app.onError((error, c) => {
  if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
  if (error instanceof SignerError) return c.json({ error: error.message, code: error.code }, 503);
  console.error(error);
  return c.json({ error: 'the shop failed; its log says more' }, 500);
});

/** A member of the JSON in the request body. */
async function text(c: Context, name: string): Promise<string> {
  const body: unknown = await c.req.json().catch(() => undefined);
  const value = (body as Record<string, unknown> | undefined)?.[name];
  if (typeof value === 'string' && value !== '' && value.length <= 200) return value;
  throw new HTTPException(400, { message: `"${name}" must be text of 1 to 200 characters` });
}

const server = Bun.serve({
  hostname: '0.0.0.0',
  port: Number(PORT),
  development: false,
  maxRequestBodySize: 65_536,
  fetch: app.fetch,
});
const where = SHOP_KEYS === undefined ? 'with its keys in the signer' : 'with its own keys';
console.log(`the shop ${where}: http://localhost:${ownPort}`);

process.once('SIGTERM', async () => {
  // Open pages ask for the keys each second and keep their connections open.
  const cut = setTimeout(() => server.stop(true), 1000);
  await server.stop();
  clearTimeout(cut);
  process.exit(0);
});
