/** The README works when it is pasted: its commands are run as they stand, and answer as it says. */

import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { codeBlocks, table } from '../support/readme.ts';
import { binary, startSigner, temporaryDirectory, waitFor } from '../support/signer.ts';

const installMs = 180_000;
const root = join(import.meta.dirname, '../..');
const blocks = codeBlocks.filter(({ heading }) => heading === 'Try it');
const [start, sign, openssl, rotate] = blocks
  .filter(({ language }) => language === 'sh')
  .map(({ code }) => code);

describe('the section "Try it"', () => {
  const clone = temporaryDirectory();
  const shell = (command = '') =>
    execFileSync('bash', ['-c', command], { cwd: clone.path, encoding: 'utf8' });
  let npm: ReturnType<typeof spawn>;
  let output = '';

  beforeAll(async () => {
    for (const name of ['package.json', 'package-lock.json', '.npmrc', 'src']) {
      cpSync(join(root, name), join(clone.path, name), { recursive: true });
    }
    npm = spawn('bash', ['-c', `exec ${start}`], { cwd: clone.path, detached: true });
    npm.stdout?.on('data', (chunk) => {
      output += chunk;
    });
    npm.stderr?.on('data', (chunk) => {
      output += chunk;
    });
    // It installs what is missing first, which here is everything.
    await waitFor(() => (output.includes('curl ') ? true : undefined), installMs);
  }, installMs);
  afterAll(() => {
    if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGTERM');
    clone[Symbol.dispose]();
  });

  it('prints the command that it shows', () => {
    expect(output).toContain(sign);
  });

  it('gives an answer of the shape that it shows', () => {
    const shown = JSON.parse(blocks.find(({ language }) => language === 'json')?.code ?? '');
    const answer = JSON.parse(shell(sign));
    expect(Object.keys(answer)).toEqual(Object.keys(shown));
    expect(answer.signature).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives the signature that openssl computes, before and after a rotation', async () => {
    const expected = () => shell(openssl).trim().split(' ').at(-1);
    const before = JSON.parse(shell(sign)).signature;
    expect(before).toBe(expected());
    shell(rotate);
    const after = expected();
    expect(after).not.toBe(before);
    await waitFor(() => (JSON.parse(shell(sign)).signature === after ? true : undefined));
  });
});

describe('the section "In compose"', () => {
  const [configuration = '', compose = ''] = codeBlocks
    .filter(({ heading, language }) => heading === 'In compose' && language === 'yaml')
    .map(({ code }) => code);
  const command = codeBlocks.find(({ heading, language }) => heading === 'In compose' && language === 'sh');
  const { services, volumes } = parse(compose) as {
    readonly services: Readonly<Record<'app' | 'signer' | 'keys', Service>>;
    readonly volumes: object;
  };
  interface Service {
    readonly command: readonly string[];
    readonly volumes: readonly string[];
    readonly depends_on: object;
    readonly network_mode: string;
  }
  /** Mounts of a service: places in its container to what is there on this machine. */
  const mounts = (service: Service, directory: string) =>
    service.volumes.map((each) => {
      const [source = '', target = ''] = each.split(':');
      return [target, join(directory, source)] as const;
    });
  /** Arguments as a container of the service would understand them. */
  const outside = (args: readonly string[], service: Service, directory: string) =>
    args.map((arg) =>
      mounts(service, directory).reduce((text, [target, source]) => text.replace(target, source), arg),
    );

  it('names services and volumes that it has', () => {
    const named = Object.values(services).flatMap((each) => [
      ...Object.keys(each.depends_on ?? {}),
      ...(each.network_mode?.startsWith('service:') ? [each.network_mode.slice('service:'.length)] : []),
    ]);
    expect(named.filter((name) => !Object.hasOwn(services, name))).toEqual([]);
    expect(named).toContain('app');
    const sources = Object.values(services).flatMap((each) =>
      each.volumes?.map((text) => text.split(':')[0]),
    );
    const unnamed = sources.filter((name) => name !== undefined && !name.startsWith('.'));
    expect([...new Set(unnamed)]).toEqual(Object.keys(volumes));
  });

  it('makes a key, serves with it and exchanges it', async () => {
    using directory = temporaryDirectory();
    const keys = mounts(services.keys, directory.path)[0]?.[1] ?? '';
    mkdirSync(keys);
    mkdirSync(join(directory.path, 'signer'));
    writeFileSync(join(directory.path, 'signer/signer.yaml'), configuration);
    const run = (args: readonly string[]) =>
      execFileSync(binary, outside(args, services.keys, directory.path), { encoding: 'utf8' });
    run(services.keys.command);
    expect(statSync(join(keys, 'orders')).mode & 0o777).toBe(0o440);

    const args = outside(services.signer.command, services.signer, directory.path);
    expect(args[0]).toBe('serve');
    await using signer = await startSigner(['--keys', keys, ...args.slice(1)]);
    await signer.ready();
    const keyId = async () => {
      const answer = await signer.call('/v1/keys/orders/sign', { message: 'hello' });
      return ((await answer.json()) as { readonly keyId: string }).keyId;
    };
    const first = await keyId();
    const [, exchange = ''] = /^docker compose run --rm keys (.*)$/.exec(command?.code ?? '') ?? [];
    run(exchange.split(' '));
    await waitFor(async () => ((await keyId()) !== first ? true : undefined));
  });
});

it('lists the commands that there are', () => {
  const help = execFileSync(binary, ['--help'], { encoding: 'utf8' });
  const commands = [...(help.split('Commands:')[1] ?? '').matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
  const listed = table('Commands', 'command').rows.map(([name]) => name);
  expect([...listed, 'help'].sort()).toEqual([...commands].sort());
});
