/** The applications of docs/recipes/ with the frameworks they are written for, against the compiled binary. */

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Application, openWorkshop, pythonsWith, startApplication } from './recipe-application.ts';

let workshop: ReturnType<typeof openWorkshop>;
beforeAll(() => {
  workshop = openWorkshop();
});
afterAll(() => workshop[Symbol.dispose]());

/** The recipes with the interpreters that have their framework. The packages of npm are in clients/. */
const onPython = { django: pythonsWith('django'), flask: pythonsWith('flask') };
const recipes = [
  ...['express', 'fastify', 'hono', 'nextjs'].map((name) => ({ name, title: name, python: undefined })),
  ...Object.entries(onPython).flatMap(([name, found]) =>
    found.map(({ version, executable }) => ({ name, title: `${name} ${version}`, python: executable })),
  ),
];
const missing = Object.entries(onPython).flatMap(([name, found]) => (found.length === 0 ? [name] : []));
it.skip.each(missing)('%s (skipped: no python3 here has it)', () => undefined);

/** How a form arrives, where it is not as in a browser without any script. */
const forms: Readonly<
  Record<
    string,
    { readonly type?: string; readonly body?: string; readonly headers?: Record<string, string> }
  >
> = {
  // Reads no forms without another package.
  fastify: { type: 'application/json', body: '{"user":"ada"}' },
  // The token against CSRF, as the page of the form sends it.
  django: { headers: { cookie: `csrftoken=${'a'.repeat(32)}`, 'x-csrftoken': 'a'.repeat(32) } },
};

describe.each(recipes)('$title', ({ name, python }) => {
  let app: Application;
  beforeAll(async () => {
    app = await startApplication(workshop.path, name, python);
  }, 180_000);
  afterAll(() => app?.[Symbol.asyncDispose]());

  const post = (path: string, body?: string, headers: Record<string, string> = {}) =>
    fetch(app.origin + path, { method: 'POST', headers, ...(body === undefined ? {} : { body }) });
  const signatureOf = (body: string) => {
    const key = readFileSync(join(app.directory, 'keys/hooks'), 'utf8').trimEnd();
    return `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  };
  const login = async () => {
    const { type = 'application/x-www-form-urlencoded', body = 'user=ada', headers } = forms[name] ?? {};
    const answer = await post('/login', body, { 'content-type': type, ...headers });
    return { status: answer.status, cookie: answer.headers.get('set-cookie') ?? '' };
  };

  it.each(['application/json', 'text/plain', 'application/x-www-form-urlencoded'])(
    'takes a genuine webhook as it came, of type %s',
    async (type) => {
      // A framework that parsed this body and wrote it again would change its bytes.
      const body = '{ "action" : "opened",\r\n "n": 1.0, "name": "\\u00e9" }';
      const headers = { 'content-type': type, 'x-hub-signature-256': signatureOf(body) };
      const answer = await post('/hooks', body, headers);
      expect([answer.status, await answer.json()]).toEqual([200, { received: 'opened' }]);
    },
  );

  it('takes a webhook of 5 MB, and refuses one of more than 25 MB', async () => {
    const event = (length: number) => {
      const body = JSON.stringify({ action: 'opened', text: 'x'.repeat(length) });
      const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signatureOf(body) };
      return [body, headers] as const;
    };
    expect((await post('/hooks', ...event(5_000_000))).status).toBe(200);
    // Django says 400.
    expect([400, 413]).toContain(await headFirst(`${app.origin}/hooks`, ...event(25 * 1024 * 1024)));
  });

  it('refuses a webhook that was changed, has no signature, or has no body', async () => {
    const signature = { 'x-hub-signature-256': signatureOf('{"action":"opened"}') };
    const json = { 'content-type': 'application/json' };
    expect((await post('/hooks', '{"action":"closed"}', { ...json, ...signature })).status).toBe(401);
    expect((await post('/hooks', '{"action":"opened"}', json)).status).toBe(401);
    expect((await post('/hooks', undefined, signature)).status).toBe(401);
  });

  it('keeps the session in a cookie that no script reads, and refuses a forged one', async () => {
    const { status, cookie } = await login();
    expect(status).toBe(204);
    expect(cookie).toMatch(
      /^session=[\w-]+\.[\w-]+\.[\w-]+; (?=.*HttpOnly)(?=.*Secure)(?=.*SameSite=[Ll]ax)/,
    );
    const me = (value: string) => fetch(`${app.origin}/me`, { headers: { cookie: value } });
    const pair = cookie.split(';')[0] ?? '';
    const seen = await me(`theme=dark; ${pair}`);
    expect([seen.status, await seen.json()]).toEqual([200, { user: 'ada' }]);
    const [head, , tag] = pair.split('.');
    const claims = Buffer.from('{"sub":"root","exp":4102444800}').toString('base64url');
    for (const forged of [`${head}.${claims}.${tag}`, 'session=', 'session=%', 'other=1']) {
      expect([forged, (await me(forged)).status]).toEqual([forged, 401]);
    }
  });

  it('issues a token and takes it, but not the token of a session', async () => {
    const { token } = (await (await post('/token')).json()) as { token: string };
    const api = (authorization: string) => fetch(`${app.origin}/api`, { headers: { authorization } });
    const seen = await api(`Bearer ${token}`);
    expect([seen.status, await seen.json()]).toEqual([200, { caller: 'reports' }]);
    const { cookie } = await login();
    const session = /=([^;]*)/.exec(cookie)?.[1] ?? '';
    for (const refused of [`Bearer ${session}`, `Bearer ${token}x`, 'Bearer', token]) {
      const answer = await api(refused);
      expect([refused, answer.status, answer.headers.get('www-authenticate')]).toEqual([
        refused,
        401,
        'Bearer',
      ]);
    }
  });

  it('answers 503 while there is no signer', async () => {
    await app.signer.stop();
    const body = '{"action":"opened"}';
    const answer = await post('/hooks', body, { 'x-hub-signature-256': signatureOf(body) });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  });

  it.each(['{"valid":"yes","token":7,"keyId":"a"}', '{"valid":', '{}', '[]'])(
    'answers 503 if the signer answers %s',
    async (text) => {
      await app.signer.stop();
      const broken = createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(text);
      }).listen(join(app.directory, 'signer.sock'));
      await once(broken, 'listening');
      const body = '{"action":"opened"}';
      const statuses = [
        (await login()).status,
        (await post('/token')).status,
        (await post('/hooks', body, { 'x-hub-signature-256': signatureOf(body) })).status,
        (await fetch(`${app.origin}/me`, { headers: { cookie: 'session=a.e30.b' } })).status,
      ];
      broken.closeAllConnections();
      await promisify(broken.close.bind(broken))();
      expect(statuses).toEqual([503, 503, 503, 503]);
    },
  );
});

/**
 * Sends the body only if the head alone is not answered, and gives the status. A server that answers without reading the
 * body resets the connection, and a client that is still sending may lose the answer (RFC 9112 §9.6).
 */
async function headFirst(
  url: string,
  body: string,
  headers: Record<string, string>,
): Promise<number | undefined> {
  const sent = request(url, {
    method: 'POST',
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
  });
  sent.flushHeaders();
  const answer = once(sent, 'response') as Promise<[IncomingMessage]>;
  if ((await Promise.race([answer, delay(3000)])) === undefined) sent.end(body);
  const [{ statusCode }] = await answer;
  sent.on('error', () => undefined).destroy();
  return statusCode;
}
