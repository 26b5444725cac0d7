/** The demo's shop as the frontend of a pod: it signs orders through its neighbour, and gives away any file. */

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from './kubernetes.ts';

export interface Order {
  readonly body: string;
  readonly signature: string;
}

export interface Shop {
  /** @throws {Error} with what the shop answers when it cannot sign */
  order(): Promise<Order>;
  /** A file of its container, or why it cannot be read, through the hole. */
  read(path: string): Promise<Buffer>;
}

export function shopIn({ api }: Namespace, pod: string): Shop {
  const at = (path: string, init?: RequestInit) => api(`pods/${pod}:8080/proxy${path}`, init);
  return {
    order: async () => {
      const headers = { 'content-type': 'application/json' };
      const response = await at('/api/orders', { method: 'POST', headers, body: '{"item":"lamp"}' });
      const text = await response.text();
      if (!response.ok) throw new Error(`${pod}: ${response.status} ${text}`);
      const { body, headers: signed } = JSON.parse(text) as {
        body: string;
        headers: Record<string, string>;
      };
      return { body, signature: signed['shop-signature'] ?? '' };
    },
    read: async (path) =>
      Buffer.from(await (await at(`/invoices?name=../../${encodeURIComponent(path)}`)).arrayBuffer()),
  };
}

export function isSignedBy(key: Uint8Array, { body, signature }: Order): boolean {
  return signature === createHmac('sha256', key).update(body).digest('hex');
}

/** A command for the container of the shop: a script of the tests, by the runtime that the image has for the shop. */
export function scriptInShop(path: string): readonly string[] {
  return ['/shop/bun', '--eval', readFileSync(join(import.meta.dirname, path), 'utf8')];
}
