/** The files of the page, which are the same in both shops. */

import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Hono } from 'hono';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** @param values what the page has in the place of `{NAME}` */
export function pageFiles(values: Readonly<Record<string, string>>): Hono {
  const app = new Hono();
  const folder = join(import.meta.dirname, 'public');
  for (const name of readdirSync(folder)) {
    const headers = { 'content-type': types[extname(name)] ?? 'application/octet-stream' };
    const content = readFileSync(join(folder, name));
    if (name !== 'index.html') app.get(`/${name}`, (c) => c.body(content, 200, headers));
    else {
      const page = content.toString().replaceAll(/\{(\w+)\}/g, (text, name) => values[name] ?? text);
      app.get('/', (c) => c.body(page, 200, headers));
    }
  }
  return app;
}
