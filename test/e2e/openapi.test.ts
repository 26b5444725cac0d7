/** The OpenAPI document that the compiled binary serves. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startConfigured } from '../support/configured.ts';
import { startSigner, temporaryDirectory } from '../support/signer.ts';

async function served(opsUrl: string) {
  const response = await fetch(`${opsUrl}/openapi.json`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  return (await response.json()) as { readonly paths: Readonly<Record<string, object>> };
}

const published = JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'));

it('is docs/openapi.json as long as there are no key sets, and then has their paths', async () => {
  using directory = temporaryDirectory();
  await using signer = await startSigner(['--keys', directory.path]);
  expect(await served(signer.opsUrl)).toEqual(published);
  await using ready = await startConfigured(
    { orders: randomBytes(32), hooks: 'a secret of twenty bytes' },
    {
      orders: { callers: { tcp: ['verify'] } },
      hooks: { format: 'github', encoding: 'text' },
    },
  );
  const document = await served(ready.signer.opsUrl);
  expect(document).toMatchObject({ ...published, tags: expect.arrayContaining(published.tags) });
  const concrete = Object.keys(document.paths).filter((path) => !Object.hasOwn(published.paths, path));
  expect(concrete.sort()).toEqual([
    '/v1/keys/hooks/sign',
    '/v1/keys/hooks/sign-batch',
    '/v1/keys/hooks/verify',
    '/v1/keys/hooks/verify-batch',
    '/v1/keys/orders/verify',
    '/v1/keys/orders/verify-batch',
  ]);
  expect(document.paths['/v1/keys/orders/verify']).toMatchObject({ post: { 'x-callers': ['tcp'] } });
});
