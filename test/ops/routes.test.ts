/** The routes of the ops listener, in process. */

import { describe, expect, it, vi } from 'vitest';
import type { Status } from '../../src/api/status.ts';
import { createOpsApp } from '../../src/ops/routes.ts';
import { status } from '../support/status.ts';

const raise = (error: unknown) => {
  throw error;
};

const { version } = status;
const ask = (path: string, told: Pick<Status, 'ready'> = status, init?: RequestInit) =>
  createOpsApp({
    version,
    callers: [],
    snapshot: () => undefined,
    isReady: () => told.ready,
    status: () => ({ ...status, ...told }),
    metrics: async () => 'a_metric 1\n',
    onFault: raise,
  }).request(path, init);

describe('/livez', () => {
  it('is 200 for as long as the process answers, ready or not', async () => {
    for (const ready of [true, false]) {
      const response = await ask('/livez', { ready });
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ live: true });
    }
  });
});

describe('/readyz', () => {
  it.each([
    [true, 200],
    [false, 503],
  ])('with ready %s is %i', async (ready, expected) => {
    const response = await ask('/readyz', { ready });
    expect(response.status).toBe(expected);
    expect(await response.json()).toEqual({ ready });
  });

  it('is asked anew each time', async () => {
    let ready = false;
    const app = createOpsApp({
      version,
      callers: [],
      snapshot: () => undefined,
      isReady: () => ready,
      status: () => ({ ...status, ready }),
      metrics: async () => '',
      onFault: raise,
    });
    expect((await app.request('/readyz')).status).toBe(503);
    ready = true;
    expect((await app.request('/readyz')).status).toBe(200);
  });
});

describe('/status', () => {
  it('is what the signer tells of itself', async () => {
    const response = await ask('/status');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(status);
  });
});

it('a fault is answered as a problem, told by its kind, and printed nowhere', async () => {
  const faults: unknown[] = [];
  const app = createOpsApp({
    version,
    callers: [],
    snapshot: () => undefined,
    isReady: () => true,
    status: () => status,
    metrics: async () => {
      throw new Error('secret-marker');
    },
    onFault: (error) => faults.push(error),
  });
  const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const response = await app.request('/metrics');
  expect(response.status).toBe(500);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.text()).not.toContain('secret-marker');
  expect(faults).toEqual([new Error('secret-marker')]);
  expect(printed).not.toHaveBeenCalled();
  printed.mockRestore();
});

describe('/metrics', () => {
  it("is in Prometheus's text format", async () => {
    const response = await ask('/metrics');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('a_metric 1\n');
  });
});

it.each(['/livez', '/readyz', '/status', '/metrics', '/openapi.json', '/nothing'])(
  '%s is never cached',
  async (path) => {
    const { headers } = await ask(path);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  },
);

it.each<[string, string]>([
  ['GET', '/'],
  ['GET', '/v1/keys'],
  ['POST', '/v1/keys/k/sign'],
  ['GET', '/livez/'],
  ['GET', '/LIVEZ'],
  ['GET', '/debug'],
  ['POST', '/livez'],
])('%s %s is a 404 that names the paths there are', async (method, path) => {
  const response = await ask(path, status, { method });
  expect(response.status).toBe(404);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({
    code: 'not_found',
    detail: expect.stringContaining('/readyz'),
  });
});
