/** The files of the page, which are the same in both shops. */

import { createHash } from 'node:crypto';
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

const folder = join(import.meta.dirname, 'public');

/** What a Content-Security-Policy says to allow the scripts that are within the page, and no others. */
export function inlineScripts(): string[] {
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  return [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
}

/** @param values what the page has in the place of `{NAME}` */
export function pageFiles(values: Readonly<Record<string, string>>): Hono {
  const app = new Hono();
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
