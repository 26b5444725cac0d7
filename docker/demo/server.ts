/** The demo's shop: a page, an API for it, and, on purpose, a hole through which anybody reads any file. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono } from 'hono';
import { type Shop, shopWithOwnKey, shopWithSigner } from './shop.ts';

const { SHOP_PORT = '8080', SIGNER_URL = 'http://127.0.0.1:8700', SHOP_KEYS } = process.env;
const shop: Shop = SHOP_KEYS === undefined ? shopWithSigner(SIGNER_URL) : shopWithOwnKey(SHOP_KEYS);
const here = import.meta.dirname;

const app = new Hono();

app.get('/api/shop', (c) => c.json({ holdsKey: shop.holdsKey }));
app.get('/api/keys', async (c) => c.json(await shop.keys()));

app.post('/api/orders', async (c) => {
  const { item } = await c.req.json();
  const body = JSON.stringify({ type: 'order.paid', item, at: new Date().toISOString() });
  return c.json({ body, ...(await shop.signOrder(body)) });
});
app.post('/api/orders/verify', async (c) => {
  const { body, headers } = await c.req.json();
  return c.json(await shop.verifyOrder(body, headers));
});
app.post('/api/session', async (c) => c.json(await shop.startSession((await c.req.json()).user)));
app.post('/api/session/verify', async (c) => c.json(await shop.verifySession((await c.req.json()).token)));

// The hole: the name of an invoice is used as a path, and nobody looked whether it leaves the folder.
app.get('/invoices', async (c) => {
  const path = join(here, 'invoices', c.req.query('name') ?? '');
  try {
    return c.text(printable(await readFile(path)));
  } catch (error) {
    const { code = 'failed' } = error as NodeJS.ErrnoException;
    return c.text(`${code}: ${path}`, 404);
  }
});

app.get('/:file{(page.js|style.css)?}', async (c) => {
  const name = c.req.param('file') || 'index.html';
  const type = { html: 'text/html', css: 'text/css', js: 'text/javascript' }[name.split('.').at(-1) ?? ''];
  const content = await readFile(join(here, 'public', name));
  return c.body(content, 200, { 'content-type': `${type}; charset=utf-8` });
});

app.onError((error, c) => c.json({ error: error.message }, 502));

/** What `/proc` separates with NUL is shown in lines. */
function printable(bytes: Buffer): string {
  return bytes.subarray(0, 20_000).toString().replaceAll('\0', '\n');
}

Bun.serve({ hostname: '0.0.0.0', port: Number(SHOP_PORT), fetch: app.fetch });
