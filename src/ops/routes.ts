/** The routes of the ops listener: probes, status and metrics. They use no key, so a kubelet may reach them remotely. */

import { Hono } from 'hono';
import type { Status } from '../api/status.ts';
import type { ApiDescriber } from '../http/openapi-document.ts';
import { answerHeaders, asSignerError, jsonResponse, notFound, problemResponse } from '../http/problem.ts';
import type { Snapshot } from '../key-sets/snapshot.ts';

export interface OpsOptions {
  readonly version: string;
  readonly isReady: () => boolean;
  readonly status: () => Status;
  /** The current snapshot, if there is one yet. */
  readonly snapshot: () => Snapshot | undefined;
  /** The names of the listeners. */
  readonly callers: readonly string[];
  /** In the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
  /** Called with an error that is a bug of the signer. */
  readonly onFault: (error: unknown) => void;
}

export function createOpsApp(options: OpsOptions): Hono {
  const { version, callers, snapshot, isReady, status, metrics, onFault } = options;
  const app = new Hono();
  let describeApi: ApiDescriber | undefined;
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
    const { createApiDescriber } = await import('../http/openapi-document.ts');
    describeApi ??= createApiDescriber(version, callers);
    const headers = { ...answerHeaders, 'content-type': 'application/json' };
    return new Response(await describeApi(snapshot()), { headers });
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
