/** The routes of the ops listener: probes, status and metrics. They use no key, so a kubelet may reach them remotely. */

import { Hono } from 'hono';
import type { Status } from '../api/status.ts';
import { answerHeaders, asSignerError, jsonResponse, notFound, problemResponse } from '../http/problem.ts';

export interface OpsOptions {
  readonly version: string;
  readonly isReady: () => boolean;
  readonly status: () => Status;
  /** In the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
  /** Called with an error that is a bug of the signer. */
  readonly onFault: (error: unknown) => void;
}

export function createOpsApp({ version, isReady, status, metrics, onFault }: OpsOptions): Hono {
  const app = new Hono();
  let api: object | undefined;
  app.get('/livez', () => jsonResponse({ live: true }));
  app.get('/readyz', () => {
    const ready = isReady();
    return jsonResponse({ ready }, ready ? 200 : 503);
  });
  app.get('/status', () => jsonResponse(status()));
  app.get('/metrics', async () => {
    const headers = { ...answerHeaders, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
    return new Response(await metrics(), { headers });
  });
  app.get('/openapi.json', async () => {
    // Imported by the first request, because the description needs the code of all formats.
    const { describeApi } = await import('../http/openapi.ts');
    api ??= describeApi(version);
    return jsonResponse(api);
  });
  // By default, Hono would print the error with its message.
  app.onError((error) => {
    onFault(error);
    return problemResponse(asSignerError(error));
  });
  app.notFound(() =>
    problemResponse(notFound('the paths are /livez, /readyz, /status, /metrics and /openapi.json')),
  );
  return app;
}
