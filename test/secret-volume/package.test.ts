/** The library as others get it: packed, installed into an empty project, type-checked there and run. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeVolume } from '../support/atomic-writer.ts';
import { page } from '../support/docs.ts';
import { until } from '../support/scenario.ts';
import { temporaryDirectory } from '../support/signer.ts';

const root = join(import.meta.dirname, '../..');
const place = temporaryDirectory();
const project = join(place.path);
const volume = join(place.path, 'database');
/** The example of the page: a program that keeps its database credentials up to date, and what it then prints. */
const [{ code: databaseExample } = { code: '' }, { code: warning } = { code: '' }] =
  page('docs/secret-volume.md').blocksUnder('Use it');
const program = databaseExample.replace('/etc/database', volume);

beforeAll(() => {
  const run = (cwd: string, command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  run(root, 'npm', 'run', '--silent', 'build:library');
  const [packed] = JSON.parse(
    run(root, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', project),
  );
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module', private: true }));
  const nodeTypes = `@types/node@${devDependencies['@types/node']}`;
  run(
    project,
    'npm',
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    join(project, packed.filename),
    nodeTypes,
  );
  writeFileSync(join(project, 'example.ts'), program);
}, 240_000);
afterAll(() => place[Symbol.dispose]());

test('has no dependency but the watcher and nothing of the signer', () => {
  const installed = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
  expect(installed.sort()).toEqual(['@types', 'chokidar', 'readdirp', 'sidecar-signer', 'undici-types']);
  const files = readdirSync(join(project, 'node_modules/sidecar-signer'), { recursive: true }) as string[];
  expect(files.filter((name) => /(^|\/)(src|test|cli|keys|mac|signer)(\/|\.|$)/.test(name))).toEqual([]);
});

test('type-checks against the declarations it ships, as strictly as can be', () => {
  const options = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    module: 'NodeNext',
    target: 'ES2024',
    types: ['node'],
    noEmit: true,
  };
  const check = () => {
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['example.ts'] }),
    );
    return execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', project], { encoding: 'utf8' });
  };
  expect(check()).toBe('');
  writeFileSync(join(project, 'example.ts'), program.replace('password.length', 'password.size'));
  expect(check).toThrow();
  writeFileSync(join(project, 'example.ts'), program);
}, 120_000);

test('follows database credentials in ten lines', async () => {
  expect(databaseExample.split('\n').filter((line) => line !== '')).toHaveLength(10);
  writeVolume(volume, { username: 'shop', password: 'first' });
  const child = spawn(process.execPath, ['example.ts'], { cwd: project });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = once(child, 'close');
  try {
    const first = 'generation 1 connects as shop with 5 characters\n';
    await until(() => output === first);
    writeVolume(volume, { username: 'shop', password: '' });
    const kept = `${warning}\n`;
    await until(() => output === first + kept);
    writeVolume(volume, { username: 'shop', password: 'another' });
    await until(() => output === `${first + kept}generation 2 connects as shop with 7 characters\n`);
  } finally {
    child.kill();
    await ended;
  }
}, 120_000);
