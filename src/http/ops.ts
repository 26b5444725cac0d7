/**
 * The routes of the ops listener: how the signer is doing. No key is behind it, so a kubelet may reach it over the
 * network.
 */

import { Hono } from 'hono';
import type { Status } from '../wire.ts';
import { answerHeaders, notFound, problemResponse } from './problem.ts';

export interface OpsOptions {
  readonly status: () => Status;
  /** In Prometheus's text format. */
  readonly metrics: () => Promise<string>;
}

export function createOpsApp({ status, metrics }: OpsOptions): Hono {
  const app = new Hono();
  app.get('/livez', () => json({ live: true }, 200));
  app.get('/readyz', () => {
    const { ready } = status();
    return json({ ready }, ready ? 200 : 503);
  });
  app.get('/status', () => json(status(), 200));
  app.get('/metrics', async () => {
    const headers = { ...answerHeaders, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
    return new Response(await metrics(), { headers });
  });
  app.notFound(() => problemResponse(notFound('the paths are /livez, /readyz, /status and /metrics')));
  return app;
}

function json(body: object, code: number): Response {
  const headers = { ...answerHeaders, 'content-type': 'application/json' };
  return new Response(JSON.stringify(body), { status: code, headers });
}
