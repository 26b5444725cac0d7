/** docs/compose.md as its reader follows it, with a small application in the place of the reader's own. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { page } from '../support/docs.ts';
import { freePort } from '../support/free-port.ts';
import { temporaryDirectory, waitFor } from '../support/signer.ts';
import { giveToSigner } from './container.ts';
import { image } from './obstacle.ts';

const files = page('docs/compose.md').blocks.filter(({ language }) => language === 'yaml');
const [{ code: rotate } = { code: '' }] = page('docs/compose.md').blocksUnder('Rotate the key', 'sh');
/** Commands of the page that are run in the signer's container. */
const told = (heading: string) =>
  page('docs/compose.md')
    .blocksUnder(heading, 'console')
    .flatMap(({ code }) => code.match(/(?<=^\$ )docker compose (?:-f \S+ )?exec .*$/gm) ?? []);

/** Has the signer sign whatever it is sent. The binary of the image is a whole Bun. */
const app = {
  image,
  // Not the signer's user, so that it has no more of the socket than any program would.
  user: '65533:65533',
  environment: { BUN_BE_BUN: '1' },
  entrypoint: ['/sidecar-signer', '--eval'],
  command: [
    `Bun.serve({ port: 8080, fetch: async (request) => fetch('http://localhost/v1/keys/orders/sign', {
      unix: process.env.SIGNER_SOCKET,
      method: 'POST',
      headers: { 'Sec-Signer': '1', 'Content-Type': 'application/json' },
      body: JSON.stringify({ message: await request.text() }),
    }) })`,
  ],
  // The image's own asks a signer; this one, whether there is an answer at all.
  healthcheck: {
    test: ['CMD', '/sidecar-signer', '--eval', "await fetch('http://127.0.0.1:8080')"],
    interval: '1s',
  },
  stop_signal: 'SIGKILL',
};

test('makes a key, serves an application, exchanges the key, and starts either anew', {
  timeout: 300_000,
}, async () => {
  using place = temporaryDirectory();
  const port = await freePort();
  const project = `signer-docs-${randomBytes(4).toString('hex')}`;
  const write = (path: string, text: string) => writeFileSync(join(place.path, path), text);
  chmodSync(place.path, 0o755);
  for (const folder of ['signer', 'two-callers']) mkdirSync(join(place.path, folder));
  expect(files.map(({ file }) => file)).toContain('compose.yaml');
  for (const { file = '', code } of files) {
    write(
      file,
      code.replace('127.0.0.1:8080:8080', `127.0.0.1:${port}:8080`).replaceAll('sidecar-signer:dev', image),
    );
  }
  write('compose.override.yaml', JSON.stringify({ services: { app } }));
  const run = (command: string) => {
    const env = { ...process.env, COMPOSE_PROJECT_NAME: project };
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: place.path, env });
    expect(status, `${command}: ${stderr}${stdout}`).toBe(0);
    return `${stdout}`;
  };
  const sign = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}`, {
      method: 'POST',
      body: 'order 4711',
      // The application of the next call may be another.
      headers: { connection: 'close' },
    });
    return (await answer.json()) as { readonly signature: string; readonly keyId: string };
  };
  try {
    run('docker compose -f compose.shared-network.yaml config --quiet');
    run('docker compose -f compose.two-callers.yaml config --quiet');
    run('docker compose up --wait');
    const first = await sign();
    expect(first).toMatchObject({ signature: expect.stringMatching(/^[0-9a-f]{64}$/) });

    const [list = '', check = '', health = ''] = told('Why it is written like this').map((each) =>
      each.replace(' exec ', ' exec -T '),
    );
    expect(run(list)).toBe(`orders  raw  HS256  primary ${first.keyId}\n`);
    expect(run(check)).toBe(
      `✓ orders  raw  HS256  sign, verify  key id ${first.keyId}\n1 key set, ready to serve\n`,
    );
    expect(run(health)).toBe('ready\n');

    run(rotate);
    const second = await waitFor(async () => {
      const signed = await sign();
      return signed.keyId === first.keyId ? undefined : signed;
    });
    const verify = (signature: string) =>
      run(`printf 'order 4711' | docker compose exec -T signer /sidecar-signer verify orders ${signature}`);
    expect(verify(second.signature)).toContain(second.keyId);
    expect(verify(first.signature)).toContain(first.keyId);

    for (const service of ['app', 'signer']) {
      run(`docker compose up --wait --force-recreate --no-deps ${service}`);
      expect((await sign()).keyId).toBe(second.keyId);
    }
  } finally {
    run('docker compose down --volumes --timeout 1');
  }
});

test('gives two applications a socket each, and lets each do its own', { timeout: 300_000 }, () => {
  using place = temporaryDirectory();
  const project = `signer-docs-${randomBytes(4).toString('hex')}`;
  const write = (path: string, text: string) => writeFileSync(join(place.path, path), text);
  chmodSync(place.path, 0o755);
  mkdirSync(join(place.path, 'two-callers'));
  for (const { file = '', code } of files.filter((each) => each.file?.includes('two-callers')))
    write(file, code.replace(/^ +ports:.*$/m, '').replaceAll('sidecar-signer:dev', image));
  // What the page does with sudo.
  mkdirSync(join(place.path, 'audit'));
  giveToSigner(join(place.path, 'audit'));
  // The image's own health check asks a signer.
  const healthcheck = { test: ['CMD', '/sidecar-signer', '--eval', '0'], interval: '1s' };
  const each = { ...app, command: ['setInterval(() => {}, 1000)'], healthcheck };
  write('override.yaml', JSON.stringify({ services: { web: each, worker: each } }));
  const compose = (command: string) => {
    const env = { ...process.env, COMPOSE_PROJECT_NAME: project };
    const files = '-f compose.two-callers.yaml -f override.yaml';
    return spawnSync('sh', ['-c', `printf hello | docker compose ${files} ${command}`], {
      cwd: place.path,
      env,
      encoding: 'utf8',
    });
  };
  const inside = (service: string, command: string) =>
    compose(`exec -T -e BUN_BE_BUN= ${service} /sidecar-signer ${command}`);
  try {
    const up = compose('up --wait');
    expect(up.status, up.stderr).toBe(0);
    const signature = inside('worker', 'sign orders').stdout.trim();
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
    expect(inside('web', `verify orders ${signature}`).stdout).toMatch(/^valid/);
    expect(inside('web', 'sign orders')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('operation_not_allowed'),
    });
    expect(inside('worker', `verify orders ${signature}`).stderr).toContain('operation_not_allowed');
    expect(inside('web', 'sign orders --socket /run/worker/signer.sock').stderr).toContain(
      'there is no socket at',
    );
    expect(compose('exec -T signer /sidecar-signer check').stdout).toContain('web: verify; worker: sign');

    // The audit tells who had it signed, to whoever runs the signer and to no application.
    writeFileSync(join(place.path, 'stolen.txt'), `a file with ${signature} in it`);
    const [verify = '', find = ''] = told('Two applications').filter((each) => each.includes(' audit '));
    const audit = (command: string) => {
      const done = spawnSync('sh', ['-c', command.replace(' exec ', ' exec -T ').replace('-T -T', '-T')], {
        cwd: place.path,
        env: { ...process.env, COMPOSE_PROJECT_NAME: project },
        encoding: 'utf8',
      });
      expect(done.status, `${command}: ${done.stderr}`).toBe(0);
      return done.stdout;
    };
    const found = audit(find).trimEnd().split('\n');
    expect(found).toEqual([
      expect.stringMatching(/^\/var\/log\/signer\/audit\.log:\d+: .*"caller":"worker".*"operation":"sign"/),
      expect.stringMatching(/"caller":"web".*"operation":"verify","outcome":"ok"/),
    ]);
    expect(audit(verify)).toMatch(/^4 lines, number 1 to 4: the chain is whole/);
    const read = "exec -T web /sidecar-signer --eval \"require('fs').readdirSync('/var/log/signer')\"";
    expect(compose(read)).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOENT') });
  } finally {
    compose('down --volumes --timeout 1');
  }
});
