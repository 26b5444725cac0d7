/** The applications of docs/recipes/ with the frameworks they are written for, against the compiled binary. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { page } from '../support/docs.ts';
import { freePort } from '../support/free-port.ts';
import { binary, type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');
const frameworks: Readonly<Record<string, readonly string[]>> = {
  express: ['express'],
  fastify: ['fastify'],
  hono: ['hono', '@hono/node-server'],
};

describe.each(Object.entries(frameworks))('%s', (name, packages) => {
  const directory = temporaryDirectory();
  const home = (path: string) => join(directory.path, path);
  let signer: Signer;
  let app: ChildProcess;
  let origin: string;
  let output = '';

  beforeAll(async () => {
    const { blocks } = page(`docs/recipes/${name}.md`);
    for (const { file, code } of blocks) if (file !== undefined) writeFileSync(home(file), code);
    writeFileSync(home('package.json'), '{"type":"module"}');
    mkdirSync(home('node_modules/@hono'), { recursive: true });
    for (const each of packages) {
      symlinkSync(join(import.meta.dirname, 'clients/node_modules', each), home(`node_modules/${each}`));
    }
    mkdirSync(home('node_modules/sidecar-signer'));
    symlinkSync(join(root, 'src/client/index.ts'), home('node_modules/sidecar-signer/client.ts'));
    const exported = '{"type":"module","exports":{"./client":"./client.ts"}}';
    writeFileSync(home('node_modules/sidecar-signer/package.json'), exported);
    const [create] = blocks.filter(({ code }) => code.startsWith('mkdir keys'));
    const commands = create?.code.replaceAll('sidecar-signer ', `${binary} `) ?? 'exit 1';
    const created = spawnSync('bash', ['-ec', commands], { cwd: directory.path });
    expect(created.status, `${created.stderr}`).toBe(0);
    signer = await startSigner([
      ...['--keys', home('keys'), '--config', home('signer.yaml'), '--socket', home('signer.sock')],
    ]);
    await signer.ready();
    const port = await freePort();
    origin = `http://127.0.0.1:${port}`;
    app = spawn(process.execPath, ['app.js'], {
      cwd: directory.path,
      env: { ...process.env, SIGNER_SOCKET: home('signer.sock'), PORT: `${port}`, NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [app.stdout, app.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk;
      });
    }
    await waitFor(() => {
      if (app.exitCode !== null) throw new Error(`the application did not start: ${output}`);
      return fetch(origin).then(
        () => true,
        () => undefined,
      );
    });
  }, 60_000);

  afterAll(async () => {
    const ended = once(app, 'exit');
    app.kill('SIGKILL');
    await ended;
    await signer[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const post = (path: string, body?: string, headers: Record<string, string> = {}) =>
    fetch(origin + path, { method: 'POST', headers, ...(body === undefined ? {} : { body }) });
  const signatureOf = (body: string) => {
    const key = readFileSync(home('keys/hooks'), 'utf8').trimEnd();
    return `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
  };
  const login = async () => {
    // Fastify reads no forms without another package.
    const answer = await (name === 'fastify'
      ? post('/login', '{"user":"ada"}', { 'content-type': 'application/json' })
      : post('/login', 'user=ada', { 'content-type': 'application/x-www-form-urlencoded' }));
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
    expect(cookie).toMatch(/^session=[\w-]+\.[\w-]+\.[\w-]+; (?=.*HttpOnly)(?=.*Secure)(?=.*SameSite=Lax)/);
    const me = (value: string) => fetch(`${origin}/me`, { headers: { cookie: value } });
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
    const api = (authorization: string) => fetch(`${origin}/api`, { headers: { authorization } });
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
    await signer.stop();
    const body = '{"action":"opened"}';
    const answer = await post('/hooks', body, { 'x-hub-signature-256': signatureOf(body) });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  });
});
