/** Several callers of one signer, each with a socket of its own. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SignerClient } from '../../src/client/index.ts';
import { writeVolume } from '../support/atomic-writer.ts';
import { everythingPrinted, run } from '../support/command.ts';
import { leaks } from '../support/leaks.ts';
import { binary, type Signer, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const yaml = `keys:
  orders: { callers: { worker: [sign], web: [verify] } }
  session: { callers: { web: [sign, verify] } }
`;
const key = randomBytes(32);
const session = randomBytes(32);
const directory = temporaryDirectory();
const here = (name: string) => join(directory.path, name);
const sockets = { web: here('run-web/s.sock'), worker: here('run-worker/s.sock') };
const configure = (text: string) => writeVolume(here('config'), { 'signer.yaml': text });
const args = ['--keys', here('keys'), '--config', here('config/signer.yaml')];
const named = ['--socket', `web=${sockets.web}`, '--socket', `worker=${sockets.worker}`];

for (const folder of ['run-web', 'run-worker']) mkdirSync(here(folder));
writeVolume(here('keys'), { orders: key, session });
afterAll(() => {
  directory[Symbol.dispose]();
  expect(leaks(everythingPrinted(), key)).toEqual([]);
});

interface Answered {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** Over a socket, with a connection of its own. */
async function ask(
  socketPath: string,
  path: string,
  body?: object,
  more: Record<string, string> = {},
): Promise<Answered> {
  const headers = { 'sec-signer': '1', 'content-type': 'application/json', ...more };
  const asking = request({ socketPath, path, method: body ? 'POST' : 'GET', headers, agent: false });
  asking.end(body && JSON.stringify(body));
  const [response] = await once(asking, 'response');
  const received: readonly string[] = response.rawHeaders;
  // The time, and a connection that closes now and then, differ from answer to answer.
  const varying = ['Date', 'Connection'].map((name) => received.indexOf(name)).filter((at) => at >= 0);
  return {
    status: response.statusCode,
    headers: received.filter((_, index) => !varying.some((at) => index === at || index === at + 1)),
    body: await text(response),
  };
}

describe('a signer with two named sockets', () => {
  let signer: Signer;
  const client = {
    web: new SignerClient({ socketPath: sockets.web }),
    worker: new SignerClient({ socketPath: sockets.worker }),
  };

  beforeEach(async () => {
    configure(yaml);
    signer = await startSigner([...args, ...named, '--log-level', 'debug']);
    await signer.ready();
  });
  afterEach(async () => {
    await signer.stop();
    expect(leaks(signer.output(), key)).toEqual([]);
  });

  it('lets each caller do its own, and no more', async () => {
    const message = 'hello';
    const { signature } = await client.worker.keySet('orders', 'raw').sign({ message });
    const { valid } = await client.web.keySet('orders', 'raw').verify({ message, signature });
    expect(valid).toBe(true);
    await expect(client.web.keySet('orders', 'raw').sign({ message })).rejects.toMatchObject({
      code: 'operation_not_allowed',
    });
    await expect(client.worker.keySet('session', 'raw').sign({ message })).rejects.toMatchObject({
      code: 'unknown_key',
    });
    expect((await signer.call('/v1/keys/orders/sign', { message })).status).toBe(404);
  });

  it('tells each caller its name and its key sets', async () => {
    const described = await client.web.keySet('orders', 'raw').describe();
    expect(described).toMatchObject({ caller: 'web', name: 'orders', allow: ['verify'] });
    const names = async (each: SignerClient) =>
      (await each.keySets()).map(({ name, allow }) => [name, allow]);
    expect(await names(client.web)).toEqual([
      ['orders', ['verify']],
      ['session', ['sign', 'verify']],
    ]);
    expect(await names(client.worker)).toEqual([['orders', ['sign']]]);
    expect(await (await signer.call('/v1/keys')).json()).toEqual({ caller: 'tcp', keys: [] });
  });

  it('shows nothing of what it hides: not in an answer, a counter or the log', async () => {
    const items = [{ message: 'a', reference: 'r' }];
    for (const [path, body] of [
      ['', undefined],
      ['/sign', { message: 'a' }],
      ['/sign', { message: 'a'.repeat(2 ** 21) }],
      ['/verify', { message: 'a', signature: '00' }],
      ['/sign-batch', { items }],
      ['/challenge', { token: 'a' }],
    ] as const) {
      const hidden = await ask(sockets.worker, `/v1/keys/session${path}`, body);
      expect(hidden.status).toBe(404);
      expect(hidden).toEqual(await ask(sockets.worker, `/v1/keys/missing${path}`, body));
    }
    // The ops listener tells which key sets there are, to everybody who reaches it, and not that one was asked for.
    const metrics = await (await fetch(`${signer.opsUrl}/metrics`)).text();
    const told = metrics.split('\n').filter((line) => line.includes('"session"'));
    expect(told).toEqual([expect.stringMatching(/^sidecar_signer_key_info\{.*role="primary"\} 1$/)]);
    const requests = () =>
      signer
        .output()
        .split('\n')
        .filter((line) => line.includes('"msg":"request"'));
    await waitFor(() => requests().length >= 12 || undefined);
    expect(requests().join()).toContain('"caller":"worker"');
    expect(requests().join()).not.toContain('session');
  });

  it('takes no word of a request for the name of its caller', async () => {
    for (const header of ['caller', 'sec-signer-caller', 'x-caller', 'from', 'user-agent', 'authorization']) {
      const more = { [header]: 'web' };
      expect((await ask(sockets.worker, '/v1/keys/session/sign', { message: 'a' }, more)).status).toBe(404);
    }
    const { status, body } = await ask(sockets.worker, '/v1/keys', undefined, { host: 'web' });
    expect({ status, caller: JSON.parse(body).caller }).toEqual({ status: 200, caller: 'worker' });
  });

  it('follows a change of the callers, and refuses one that no listener has', async () => {
    const signs = async () => (await ask(sockets.web, '/v1/keys/orders/sign', { message: 'a' })).status;
    expect(await signs()).toBe(403);
    configure(yaml.replace('web: [verify]', 'web: [sign, verify]'));
    await waitFor(async () => (await signs()) === 200 || undefined);
    configure(yaml.replace('worker: [sign]', 'wrker: [sign]'));
    const problem = await waitFor(async () => {
      const { volumes } = (await (await fetch(`${signer.opsUrl}/status`)).json()) as {
        volumes: { problems: string[] }[];
      };
      return volumes.flatMap(({ problems }) => problems)[0];
    });
    expect(problem).toMatch(
      /: keys\.orders\.callers\.wrker: no listener has this name; the callers are: tcp, web, worker\. .*\(line 2\)$/,
    );
    expect(await signs()).toBe(200);
    expect((await fetch(`${signer.opsUrl}/readyz`)).status).toBe(200);
    configure(yaml);
    await waitFor(async () => (await signs()) === 403 || undefined);
  });

  it('is called by commands over the first socket', async () => {
    const list = await run(['keys', 'list', ...named, '--json']);
    expect(JSON.parse(list.stdout).caller).toBe('web');
    const env = { SIGNER_SOCKET: `worker=${sockets.worker},web=${sockets.web}` };
    expect(JSON.parse((await run(['keys', 'list', '--json'], { env })).stdout).caller).toBe('worker');
    expect((await run(['healthcheck', '--ops-listen', 'none'], { env })).code).toBe(0);
    expect((await run(['sign', 'orders'], { env, input: 'hello' })).stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(await run(['sign', 'session'], { env, input: 'hello' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no key set of this name for this caller'),
    });
    const none = await run(['keys', 'list', '--listen', new URL(signer.url).host]);
    expect(none).toEqual({ code: 0, stdout: 'no key set may be used by the caller "tcp"\n', stderr: '' });
  });
});

/** The line that tells which listeners there are, of a signer with these flags alone. */
async function listening(flags: readonly string[], env: Record<string, string> = {}): Promise<object> {
  const child = spawn(binary, ['serve', ...args, '--ops-listen', 'none', ...flags], { env });
  let output = '';
  child.stdout.on('data', (part) => {
    output += part;
  });
  const exited = once(child, 'exit');
  const line = await waitFor(() => output.split('\n').find((each) => each.includes('"listening"')));
  child.kill('SIGTERM');
  await exited;
  const { level, time, msg, ...fields } = JSON.parse(line);
  return fields;
}

describe('TCP', () => {
  const address = { SIGNER_LISTEN: '127.0.0.1:0' };
  const tcp = { signing: expect.stringMatching(/^127\.0\.0\.1:\d+$/) };
  const both = { sockets: [`web=${sockets.web}`, `worker=${sockets.worker}`] };

  it('is off if a socket has a name and no address is given', async () => {
    configure(yaml);
    expect(await listening(named)).toEqual(both);
    const socket = here('run-web/t.sock');
    configure('keys: { orders: }');
    expect(await listening(['--socket', `socket=${socket}`])).toEqual({ sockets: [`socket=${socket}`] });
    expect(await listening([`--socket`, `${socket},web=${sockets.web}`])).not.toHaveProperty('signing');
  });

  it('is on if an address is given', async () => {
    configure(yaml);
    expect(await listening([...named, '--listen', '127.0.0.1:0'])).toMatchObject({ ...both, ...tcp });
    expect(await listening(named, address)).toMatchObject({ ...both, ...tcp });
  });

  it('stays on with a socket that has no name', async () => {
    configure('keys: { orders: }');
    const socket = here('run-web/t.sock');
    expect(await listening(['--socket', socket], address)).toMatchObject({ sockets: [socket], ...tcp });
    // Without an address, it would be the default one, which another program may have.
    const { stdout } = await run(['check', ...args, '--socket', socket, '--json']);
    expect(JSON.parse(stdout).notes.join()).toContain('every caller (tcp, socket) may sign and verify');
  });
});

describe('check', () => {
  const check = async (...more: readonly string[]) => {
    const { code, stdout } = await run(['check', ...args, '--json', ...more]);
    const { problems, notes, keys } = JSON.parse(stdout);
    return { code, problems, notes: notes.filter((note: string) => !note.includes('can read')), keys };
  };

  it('says what each caller may do, and knows the callers by the flags of serve', async () => {
    configure(yaml);
    const { keys, ...rest } = await check(...named);
    expect(rest).toEqual({ code: 0, problems: [], notes: [] });
    expect(keys[0]).toMatchObject({
      name: 'orders',
      allow: ['sign', 'verify'],
      callers: { worker: ['sign'], web: ['verify'] },
    });
    const { stdout } = await run(['check', ...args, ...named]);
    expect(stdout).toContain('orders   raw  HS256  worker: sign; web: verify  key id');
  });

  it('refuses a caller that no socket has, and only notes it where no socket is given', async () => {
    configure(yaml);
    const web = ['--socket', `web=${sockets.web}`];
    expect(await check(...web)).toMatchObject({
      code: 1,
      problems: [
        expect.stringContaining(
          'keys.orders.callers.worker: no listener has this name; the callers are: web.',
        ),
      ],
    });
    expect(await check()).toMatchObject({
      code: 0,
      problems: [],
      notes: [expect.stringContaining('these names cannot be checked: worker, web')],
    });
  });

  it('checks a Secret with the same eyes', async () => {
    configure(yaml);
    const data = { orders: key.toString('base64'), session: session.toString('base64') };
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'k' }, data });
    const flags = ['check', '--secret', '-', '--config', here('config/signer.yaml'), '--json'];
    const web = ['--socket', `web=${sockets.web}`];
    expect(JSON.parse((await run([...flags, ...named], { input })).stdout)).toMatchObject({
      valid: true,
      notes: [],
    });
    expect((await run([...flags, ...web], { input })).stdout).toContain('no listener has this name');
    expect((await run(flags, { input })).stdout).toContain('these names cannot be checked: worker, web');
  });

  it('notes key sets without a configuration that every caller may use', async () => {
    const { stdout } = await run(['check', '--keys', here('keys'), ...named, '--json']);
    expect(JSON.parse(stdout).notes).toContainEqual(
      expect.stringContaining('every caller (web, worker) may sign and verify with orders, session;'),
    );
  });
});

describe('serve', () => {
  it('is not ready with a caller that no listener has, and says which there are', async () => {
    configure(yaml);
    await using signer = await startSigner([...args, '--socket', `web=${sockets.web}`]);
    await waitFor(() => signer.output().includes('not ready') || undefined);
    expect(signer.output()).toContain(
      'callers.worker: no listener has this name; the callers are: tcp, web.',
    );
    expect((await fetch(`${signer.opsUrl}/readyz`)).status).toBe(503);
  });

  it.each([
    [['--socket', 'a.sock', '--socket', 'b.sock'], 'of several sockets, each needs a name'],
    [['--socket', 'web=a.sock,web=b.sock'], 'two sockets have the name "web"'],
    [['--socket', 'tcp=a.sock'], 'the name "tcp" belongs to --listen'],
    [['--socket', 'web=@a'], 'expected the path of a file'],
  ])('does not start with %j', async (flags, problem) => {
    const refused = await run(['serve', ...args, '--ops-listen', 'none', ...flags]);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain(problem);
  });

  it('explains a name that cannot be one, and gives up the sockets that it has', async () => {
    configure('keys: { orders: }');
    const flags = ['--socket', `web=${sockets.web}`, '--socket', 'Worker=/run/w.sock'];
    const { code, stderr } = await run(['serve', ...args, '--ops-listen', 'none', ...flags]);
    expect(code).toBe(1);
    expect(stderr).toContain('the directory Worker=/run does not exist');
    expect(stderr).toContain('Before "=", a name has 1 to 63 of a-z 0-9 - and begin with a letter');
    await expect(ask(sockets.web, '/v1/keys')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
