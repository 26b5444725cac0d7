/**
 * The routes of the ops listener: how the signer is doing. No key is behind it, so a kubelet may reach it over the
 * network.
 */

import { Hono } from 'hono';
import { answerHeaders, notFound, problemResponse } from './problem.ts';

/** What `/status` tells: names, counts and times, never key material. */
export interface Status {
  readonly version: string;
  /** Whether requests are served with a valid snapshot. */
  readonly ready: boolean;
  readonly generation: number;
  readonly loadedAt: string | null;
  readonly keySets: number;
  readonly volumes: readonly VolumeStatus[];
}

export interface VolumeStatus {
  readonly directory: string;
  readonly layout: 'atomic' | 'plain' | null;
  readonly generation: number;
  readonly lastSuccess: string | null;
  readonly watcher: 'up' | 'down' | 'off';
  readonly rescuedByPoll: number;
  /** Why the newest content is not in use; empty when it is. */
  readonly problems: readonly string[];
}

export function createOpsApp(status: () => Status): Hono {
  const app = new Hono();
  app.get('/livez', () => json({ live: true }, 200));
  app.get('/readyz', () => {
    const { ready } = status();
    return json({ ready }, ready ? 200 : 503);
  });
  app.get('/status', () => json(status(), 200));
  app.notFound(() => problemResponse(notFound('the paths are /livez, /readyz and /status')));
  return app;
}

function json(body: object, code: number): Response {
  const headers = { ...answerHeaders, 'content-type': 'application/json' };
  return new Response(JSON.stringify(body), { status: code, headers });
}
