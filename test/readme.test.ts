/** The README says what the code does: its tables are compared with the code, its links with its headings. */

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import type { Problem } from '../src/api/errors.ts';
import { errorCodes } from '../src/api/errors.ts';
import { keySetFieldNames } from '../src/config/fields.ts';
import { parseConfiguration } from '../src/config/file.ts';
import { formats } from '../src/formats/index.ts';
import { createApp } from '../src/http/app.ts';
import { createBodyReader } from '../src/http/body.ts';
import { keyEncodings } from '../src/key-sets/settings.ts';
import { createCounters, formatMetrics } from '../src/ops/metrics.ts';
import { createSigner } from '../src/signer.ts';
import { codeBlocks, headings, table, tokens } from './support/readme.ts';

const root = join(import.meta.dirname, '..');
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** The names of the options that a format takes under its name. */
const optionsOf = (schema: unknown) => {
  const options = schema instanceof z.ZodMiniOptional ? schema.def.innerType : schema;
  return options instanceof z.ZodMiniObject ? Object.keys(options.def.shape) : [];
};
const firstColumn = (heading: string, column: string) => table(heading, column).rows.map(([cell]) => cell);

describe('the tables of the README', () => {
  it('list every error code with its status and title', () => {
    const listed = table('HTTP API', 'code').rows;
    const actual = Object.entries(errorCodes).map(([code, { status, title }]) => [code, `${status}`, title]);
    expect(listed).toEqual(actual);
  });

  it('list every route of the signing listener', async () => {
    const handle = createApp({
      snapshot: () => undefined,
      bodies: createBodyReader(),
      signer: createSigner({ now: () => 0, monotonicMs: () => 0, random: randomBytes }),
      onOperation: () => undefined,
      onFault: () => undefined,
    });
    const ask = async (method: string, path: string) => {
      const answer = await handle(
        new Request(`http://localhost${path}`, { method, headers: { 'content-type': 'application/json' } }),
      );
      return (await answer.json()) as Problem;
    };
    const listed = firstColumn('HTTP API', 'method and path').map((cell) => cell?.split(' ') ?? []);
    for (const [method = '', path = ''] of listed) {
      const at = path.replace('{name}', 'demo');
      expect(await ask(method, at)).toMatchObject({ code: 'not_ready' });
      expect(await ask(method === 'GET' ? 'POST' : 'GET', at)).toMatchObject({ code: 'method_not_allowed' });
    }
    // Whoever asks for another path is told of these.
    const { detail } = await ask('GET', '/v1/other');
    const told = detail.match(/[\w{}-]+(?=,|$| and)/g) ?? [];
    expect(told.sort()).toEqual(listed.map(([, path = '']) => path.split('/').at(-1)).sort());
  });

  it('list every metric with its labels and what it tells', async () => {
    const volume = {
      directory: '/k',
      content: 'keys',
      layout: 'atomic',
      watcher: 'up',
      problems: [],
    } as const;
    const instant = new Date(0).toISOString();
    const volumes = [{ ...volume, generation: 1, lastSuccess: instant, rescuedByPoll: 0, rejected: 0 }];
    const status = { version: '1', ready: true, generation: 1, loadedAt: instant, keySets: 1, volumes };
    const counters = createCounters();
    counters.answer(200);
    counters.operation('demo', 'sign', 'ok');
    const lines = (await formatMetrics(status, counters)).split('\n');
    const actual = lines
      .filter((line) => line.startsWith('# HELP '))
      .map((line) => {
        const [, name = '', help] = /^# HELP sidecar_signer_(\S+) (.*)$/.exec(line) ?? [];
        const value = lines.find((each) => new RegExp(`^sidecar_signer_${name}\\b`).test(each)) ?? '';
        return [name, [...value.matchAll(/(\w+)="/g)].map(([, label]) => label).join(', '), help];
      });
    expect(table('Metrics', 'metric').rows).toEqual(actual);
  });

  it('list every encoding of a key', () => {
    expect(firstColumn('Keys', 'encoding')).toEqual([...keyEncodings]);
  });

  it('list every field of a key set', () => {
    expect([...firstColumn('Configuration', 'field')].sort()).toEqual([...keySetFieldNames].sort());
  });

  it('say of each way of mounting what a scenario shows', () => {
    const shownBy: Readonly<Record<string, readonly [updates: string, scenario: RegExp]>> = {
      'Secret, ConfigMap or projected volume': ['yes, all files at once', /'A2',\s+'/],
      'the same with subPath': ['never', /'C10',\s+'says that a subPath mount never updates'/],
      'an immutable Secret': ['never', /keeps an immutable Secret/],
      'an optional Secret that comes later': ['yes', /'B8',\s*'/],
      'a variable of the environment': ['never', /comes from the environment/],
      'a directory of plain files': ['yes, once it has been left alone for a moment', /'C2',\s*'/],
      'a single file bound into the container': [
        'only if it is written in place',
        /'C9',\s+'says that a file/,
      ],
    };
    const folders = ['secret-volume', 'cluster', 'key-sets'].map((name) => join(root, 'test', name));
    const sources = folders.flatMap((folder) =>
      readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8')),
    );
    const { rows } = table('The secret volume as a library', 'mounted as');
    expect(rows.map(([how, updates]) => [how, updates])).toEqual(
      Object.entries(shownBy).map(([how, [updates]]) => [how, updates]),
    );
    for (const [how, [, scenario]] of Object.entries(shownBy)) {
      expect([how, sources.some((source) => scenario.test(source))]).toEqual([how, true]);
    }
  });

  it.each([
    ['jwt', ['jwt']],
    // What they have in common is told once; not all of them have all of it.
    ['standard-webhooks', ['standard-webhooks', 'stripe', 'slack']],
    ['http-signature', ['http-signature']],
    ['aws-sigv4', ['aws-sigv4']],
  ])('list every option of %s', (heading, names) => {
    const options = names.flatMap((name) => optionsOf(formats.get(name)?.fields[name]));
    expect(options).not.toEqual([]);
    const listed = firstColumn(heading, 'option').flatMap((cell) => cell?.split(', ') ?? []);
    expect(listed.sort()).toEqual([...new Set(options)].sort());
  });

  it('list scripts that exist', () => {
    const { scripts } = packageJson;
    const listed = firstColumn('Developing', 'command').map((command) => command?.split(' ').at(-1) ?? '');
    expect(listed.filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);
  });
});

describe('the README', () => {
  it('has a section for every format', () => {
    expect([...formats.keys()].filter((name) => !headings.includes(name))).toEqual([]);
  });

  it('shows a configuration that is valid', () => {
    const examples = codeBlocks.filter(({ language, code }) => language === 'yaml' && /^keys:/m.test(code));
    expect(examples.length).toBeGreaterThan(0);
    for (const { code } of examples) {
      expect(parseConfiguration(code)).toMatchObject({ ok: true, value: { warnings: [] } });
    }
  });

  it('installs the package by the name that npm pack gives it', () => {
    const install = codeBlocks.find(({ heading }) => heading === 'Install')?.code;
    expect(install).toBe(`npm install ./${packageJson.name}-${packageJson.version}.tgz`);
  });

  it('links to headings that it has', () => {
    const anchors = headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    const links = [...JSON.stringify(tokens).matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor);
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter((anchor) => anchor !== undefined && !anchors.includes(anchor))).toEqual([]);
  });
});
