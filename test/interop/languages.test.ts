/** The clients of docs/languages/ as a reader copies them: against the compiled binary, and against one that misbehaves. */

import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { page } from '../support/docs.ts';
import { freePort } from '../support/free-port.ts';
import { binary, type Signer, startSigner, temporaryDirectory } from '../support/signer.ts';
import { answer, cutOff, detail, type Misbehaviour, refuse, startMisbehaving } from './misbehaving-signer.ts';

interface Language {
  /** What succeeds on a machine that has the language. */
  readonly needs: string;
  /** Makes the program that `webhook` runs. */
  readonly build?: string;
  readonly webhook: string;
  readonly hasSocket: boolean;
}

const languages: Readonly<Record<string, Language>> = {
  python: { needs: 'python3 --version', webhook: 'python3 webhook.py', hasSocket: true },
  go: {
    needs: 'go version',
    build: 'go build -o webhook signer.go webhook.go',
    webhook: './webhook',
    hasSocket: true,
  },
  java: {
    needs: 'javac --version',
    build: 'javac Signer.java Webhook.java',
    webhook: 'java Webhook',
    hasSocket: false,
  },
  ruby: { needs: 'ruby --version', webhook: 'ruby webhook.rb', hasSocket: true },
  php: { needs: 'php -m | grep -qx curl', webhook: 'php webhook.php', hasSocket: true },
  curl: { needs: 'curl --version', webhook: 'bash webhook.sh', hasSocket: true },
};

interface Scenario {
  readonly verify: Misbehaviour;
  /** What standard error has; nothing if the program succeeds. */
  readonly says?: RegExp;
  /** How many requests arrive. */
  readonly requests: number;
}

const genuine = '{"valid":true,"keyId":"0000000000000000","primary":true}';
const refused = '{"valid":false,"reason":"mismatch"}';
/** As it is, or with the quotation marks escaped, which a shell does not undo. */
const told = new RegExp(detail.replaceAll('"', '\\\\?"'));
const anything = /signer: ./;
const scenarios: Readonly<Record<string, Scenario>> = {
  // These take a client's five seconds. They come first, so that the others run meanwhile.
  'silence within the answer': { verify: cutOff(genuine.slice(0, 30), 'stall'), says: anything, requests: 1 },
  silence: { verify: () => undefined, says: anything, requests: 1 },
  '403': { verify: refuse(403), says: told, requests: 1 },
  '403 with Retry-After': { verify: refuse(403, { 'retry-after': '600' }), says: told, requests: 1 },
  '429, then an answer': {
    verify: (response, count) =>
      (count === 1 ? refuse(429, { 'retry-after': '1' }) : answer(200, refused))(response, count),
    requests: 3,
  },
  '503, then an answer': {
    verify: (response, count) =>
      (count === 1 ? refuse(503, { 'retry-after': '1' }) : answer(200, refused))(response, count),
    requests: 3,
  },
  '503 for ever': { verify: refuse(503, { 'retry-after': '1' }), says: told, requests: 3 },
  '429 for an hour': { verify: refuse(429, { 'retry-after': '3600' }), says: told, requests: 1 },
  '503 without Retry-After': { verify: refuse(503), says: told, requests: 1 },
  '503 with Retry-After in words': {
    verify: refuse(503, { 'retry-after': 'soon' }),
    says: told,
    requests: 1,
  },
  'a Retry-After below zero': { verify: refuse(503, { 'retry-after': '-1' }), says: told, requests: 1 },
  '431 without a body': { verify: answer(431, ''), says: anything, requests: 1 },
  '502 of another server': { verify: answer(502, '<html>'), says: anything, requests: 1 },
  'a redirection': {
    verify: (response, count) =>
      (count === 1 ? answer(302, '', { location: '/v1/keys/hooks/verify' }) : answer(200, genuine))(
        response,
        count,
      ),
    says: anything,
    requests: 1,
  },
  'no JSON': { verify: answer(200, '<html>"valid":true</html>'), says: anything, requests: 1 },
  'an empty answer': { verify: answer(200, ''), says: anything, requests: 1 },
  'JSON that is cut off': { verify: answer(200, genuine.slice(0, -1)), says: anything, requests: 1 },
  'a list': { verify: answer(200, '[["valid",true]]'), says: anything, requests: 1 },
  'a text': { verify: answer(200, '"valid"'), says: anything, requests: 1 },
  null: { verify: answer(200, 'null'), says: anything, requests: 1 },
  'no member valid': { verify: answer(200, '{"reason":"\\"valid\\":true"}'), says: anything, requests: 1 },
  'valid as a text': { verify: answer(200, '{"valid":"true","keyId":"0"}'), says: anything, requests: 1 },
  'valid as a number': { verify: answer(200, '{"valid":1,"keyId":"0"}'), says: anything, requests: 1 },
  'a connection that closes within the answer': {
    verify: cutOff(genuine.slice(0, 30), 'close'),
    says: anything,
    requests: 1,
  },
  'a connection that closes at once': {
    verify: (response) => response.destroy(),
    says: anything,
    requests: 1,
  },
};

const directory = temporaryDirectory();
const home = (name: string) => join(directory.path, name);
const socket = home('signer.sock');
let signer: Signer;

beforeAll(async () => {
  const [start] = page('docs/other-languages.md').blocksUnder('Before you begin', 'yaml');
  writeFileSync(home('signer.yaml'), start?.code ?? '');
  mkdirSync(home('keys'));
  for (const command of ['--encoding=hex keys/orders', '--encoding=text keys/hooks']) {
    const made = spawnSync(binary, ['keys', 'new', ...command.split(' ')], { cwd: directory.path });
    expect(made.status, `${made.stderr}`).toBe(0);
  }
  signer = await startSigner(['--keys', home('keys'), '--config', home('signer.yaml'), '--socket', socket]);
  await signer.ready();
});
afterAll(async () => {
  await signer?.stop();
  directory[Symbol.dispose]();
});

const execute = promisify(execFile);

/** Runs a command in the directory of a language, and gives what it printed and its exit code. */
async function run(name: string, command: string, environment: Record<string, string>) {
  // A client that used a proxy would reach nothing.
  const proxies = {
    HTTP_PROXY: 'http://127.0.0.1:9',
    http_proxy: 'http://127.0.0.1:9',
    ALL_PROXY: 'http://127.0.0.1:9',
  };
  const { SIGNER_URL: _, SIGNER_SOCKET: __, ...inherited } = process.env;
  const env = { ...inherited, ...proxies, ...environment };
  const started = performance.now();
  const result = await execute('bash', ['-c', command], { cwd: home(name), env, timeout: 60_000 }).then(
    (printed) => ({ ...printed, code: 0 }),
    (error: { stdout: string; stderr: string; code: number }) => error,
  );
  return { ...result, seconds: (performance.now() - started) / 1000 };
}

/** Signatures differ from run to run. */
const shapeOf = (text: string) => text.replaceAll(/[0-9a-f]{16,}/g, (hex) => `<${hex.length} hex digits>`);

describe.each(Object.entries(languages))('%s', (name, { needs, build, webhook, hasSocket }) => {
  const has = spawnSync('bash', ['-c', needs]).status === 0;
  const { blocks } = page(`docs/languages/${name}.md`);

  beforeAll(async () => {
    mkdirSync(home(name));
    symlinkSync(socket, join(home(name), 'signer.sock'));
    const listen = signer.url.replace('http://', '');
    for (const { file, code } of blocks) {
      if (file !== undefined) {
        writeFileSync(join(home(name), file), `${code.replaceAll('127.0.0.1:8700', listen)}\n`);
      }
    }
    if (has && build !== undefined) expect(await run(name, build, {})).toMatchObject({ code: 0 });
  }, 300_000);

  it('has a client of fewer than 40 lines of code', () => {
    const client = blocks.find(({ heading }) => heading === 'The client')?.code ?? '';
    const lines = client.split('\n').filter((line) => !/^\s*(?:$|\/\/|#|\/?\*)/.test(line));
    expect(lines.length).toBeGreaterThan(15);
    expect(lines.length).toBeLessThan(40);
  });

  it.skipIf(!has)('prints what the page shows', { timeout: 300_000 }, async () => {
    const commands = blocks
      .filter(({ language }) => language === 'console')
      .flatMap(({ code }) => [...code.matchAll(/^\$ (.*)\n?((?:(?!\$ ).*(?:\n|$))*)/gm)]);
    expect(commands.length).toBeGreaterThan(1);
    for (const [, command = '', shown = ''] of commands) {
      const { stdout, stderr } = await run(name, command, {});
      expect([command, stderr, shapeOf(stdout.trim())]).toEqual([command, '', shapeOf(shown.trim())]);
    }
  });

  it.skipIf(!has)('says that nobody listens', { timeout: 60_000 }, async () => {
    const environments = [
      { SIGNER_URL: `http://127.0.0.1:${await freePort()}` },
      ...(hasSocket ? [{ SIGNER_SOCKET: home('missing.sock') }] : []),
    ];
    for (const environment of environments) {
      const { stdout, stderr, code } = await run(name, webhook, environment);
      expect({ stdout, stderr, code }).toEqual({
        stdout: '',
        stderr: expect.stringMatching(anything),
        code: 1,
      });
      expect(stderr).not.toMatch(/Traceback|at Webhook|goroutine|Uncaught|\.rb:\d/);
    }
  });

  // How an answer is read does not depend on the transport.
  const bothWays = /^(?:403|503 for ever|a connection|silence)/;
  const cases = Object.entries(scenarios).flatMap(([scenario, does]) =>
    ['TCP', ...(hasSocket && bothWays.test(scenario) ? ['the socket'] : [])].map((transport, way) => ({
      scenario,
      ...does,
      transport,
      path: home(`${name}-${way}-${Object.keys(scenarios).indexOf(scenario)}.sock`),
    })),
  );
  it.skipIf(!has).concurrent.for(cases)(
    'is not misled by $scenario over $transport',
    { timeout: 90_000 },
    async ({ transport, path, verify, says, requests }, { expect: expectHere }) => {
      await using bad = await startMisbehaving(verify, path);
      const environment = transport === 'TCP' ? { SIGNER_URL: bad.url } : { SIGNER_SOCKET: path };
      const { stdout, stderr, code, seconds } = await run(name, webhook, environment);
      const seen = { stdout, stderr, code, requests: bad.count() };
      const expected =
        says === undefined
          ? { stdout: 'refused\nrefused\n', stderr: '', code: 0, requests }
          : { stdout: '', stderr: expectHere.stringMatching(says), code: 1, requests };
      expectHere(seen).toEqual(expected);
      expectHere(stderr).not.toMatch(/Traceback|at Webhook|goroutine|Uncaught|\.rb:\d/);
      if (requests === 3) expectHere(seconds).toBeGreaterThan(says === undefined ? 0.9 : 1.9);
      expectHere(seconds).toBeLessThan(30);
    },
  );
});
