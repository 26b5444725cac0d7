/** The files of the page, which are the same in both shops. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Hono } from 'hono';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

const folder = join(import.meta.dirname, 'public');

interface PageFiles {
  readonly files: Hono;
  /** For a Content-Security-Policy: the scripts that are within the page. */
  readonly scriptHashes: readonly string[];
}

/** @param values what the page has in the place of `{NAME}` */
export function pageFiles(values: Readonly<Record<string, string>>): PageFiles {
  const files = new Hono();
  const text = readFileSync(join(folder, 'index.html'), 'utf8');
  const page = text.replaceAll(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  files.get('/', (c) => c.html(page));
  for (const name of readdirSync(folder).filter((each) => each !== 'index.html')) {
    const headers = { 'content-type': types[extname(name)] ?? 'application/octet-stream' };
    const content = readFileSync(join(folder, name));
    files.get(`/${name}`, (c) => c.body(content, 200, headers));
  }
  const scripts = [...page.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script = '']) => script);
  return { files, scriptHashes: scripts.map(hashOf) };
}

/** A browser hashes what it has parsed, in which every line ends with LF (HTML §13.2.3.5). */
function hashOf(script: string): string {
  return `'sha256-${createHash('sha256').update(script.replaceAll('\r\n', '\n')).digest('base64')}'`;
}
