/** The pages say what the code does: their tables, links, names, messages and code blocks are compared with it. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { posix } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import { parse, parseDocument } from 'yaml';
import * as z from 'zod/mini';
import type { Problem } from '../src/api/errors.ts';
import { errorCodes } from '../src/api/errors.ts';
import { streamedFormats } from '../src/api/limits.ts';
import type { Formats } from '../src/api/messages.ts';
import { providers } from '../src/api/providers.ts';
import { receivedHeaders } from '../src/client/received-headers.ts';
import { keySetFieldNames } from '../src/config/fields.ts';
import { parseConfiguration } from '../src/config/file.ts';
import { formats } from '../src/formats/index.ts';
import { webhookAlgorithms } from '../src/formats/webhook/custom.ts';
import { createApp } from '../src/http/app.ts';
import { createBodyReader } from '../src/http/body.ts';
import { keyEncodings } from '../src/key-sets/settings.ts';
import { logEvents } from '../src/ops/log-events.ts';
import { createSigner } from '../src/signer.ts';
import { format } from './bench/report.ts';
import { rowOf, scenarios } from './bench/throughput.ts';
import { type CodeBlock, page, pages } from './support/docs.ts';
import { atOnce } from './support/keys.ts';
import { everyMetric } from './support/metrics.ts';
import { readTexts } from './support/source-tree.ts';

const root = join(import.meta.dirname, '..');
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const firstColumn = (path: string, heading: string, column: string) =>
  page(path)
    .table(heading, column)
    .rows.map(([cell = '']) => cell);
/** The names that the cells list. */
const names = (cells: readonly string[]) => cells.flatMap((cell) => cell.split(', ')).sort();
/** The formats that the cells list. "43 other providers" stands for those that no cell names. */
const formatsIn = (cells: readonly string[]) => {
  const listed = names(cells);
  const others = Object.keys(providers).filter((name) => !listed.includes(name));
  return listed.flatMap((name) => (name === `${others.length} other providers` ? others : name)).sort();
};
/** `?` marks a field that not every line has. */
const fieldCell = (fields: Readonly<Record<string, string>>) =>
  Object.entries(fields)
    .map(([name, type]) => (type.endsWith('?') ? `${name}?` : name))
    .join(', ');
const isOfOthers = (cell: string) => / other providers$/.test(cell);
const hasPage = (name: string) => existsSync(join(root, `docs/formats/${name}.md`));
const optionsOf = (schema: unknown) => {
  const options = schema instanceof z.ZodMiniOptional ? schema.def.innerType : schema;
  return options instanceof z.ZodMiniObject ? Object.keys(options.def.shape) : [];
};
describe('the tables', () => {
  it('list every error code with its status and title', () => {
    const listed = page('docs/http-api.md').table('Errors', 'code').rows;
    const actual = Object.entries(errorCodes).map(([code, { status, title }]) => [code, `${status}`, title]);
    expect(listed).toEqual(actual);
    expect(firstColumn('docs/http-api.md', 'What to do', 'error')).toEqual(Object.keys(errorCodes));
  });

  it('list every route of the signing listener', async () => {
    const handle = createApp({
      snapshot: () => undefined,
      createBodyReader: () => createBodyReader(),
      signer: createSigner({ now: () => 0, monotonicMs: () => 0, random: randomBytes }),
      onOperation: () => undefined,
      onFault: () => undefined,
    })('tcp');
    const ask = async (method: string, path: string) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await handle(new Request(`http://localhost${path}`, { method, headers }), path, 'json');
      return (await answer.json()) as Problem;
    };
    const cells = firstColumn('docs/http-api.md', 'Paths', 'method and path');
    const listed = cells.map((cell) => cell.split(' '));
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

  it('list every metric with its labels and what it tells, and no page names another', async () => {
    const actual = everyMetric().map(({ name, help, samples: [[labels] = [{}]] }) => [
      name,
      Object.keys(labels).join(', '),
      help,
    ]);
    expect(page('docs/operations.md').table('Metrics', 'metric').rows).toEqual(actual);
    const used = pages.flatMap(({ text }) => text.match(/\b(?:sidecar_signer|process)_[a-z]\w*/g) ?? []);
    const known = actual.map(([name]) => name);
    // A hook of Django has a name like theirs.
    const isKnown = (name: string) =>
      name === 'process_exception' || known.includes(name.replace(/_(?:bucket|sum|count)$/, ''));
    expect(used.filter((name) => !isKnown(name))).toEqual([]);
  });

  it('list every line of the log with its fields, and every field', () => {
    const actual = Object.entries(logEvents).flatMap(([level, events]) =>
      Object.entries(events).map(([message, fields]) => [level, message, fieldCell(fields)]),
    );
    const { rows } = page('docs/logs.md').table('All lines', 'level');
    const listed = rows.map(([level, message, fields]) => [level, message, fields]);
    expect(listed.map(String).sort()).toEqual(actual.map(String).sort());
    const used = Object.values(logEvents)
      .flatMap((events) => Object.values(events))
      .flatMap(Object.keys);
    expect(firstColumn('docs/logs.md', 'All fields', 'field')).toEqual([...new Set(used)].sort());
  });

  it('list every encoding of a key', () => {
    expect(firstColumn('docs/keys-and-rotation.md', 'Encodings', 'encoding')).toEqual([...keyEncodings]);
  });

  it('list every field of a key set', () => {
    expect(names(firstColumn('docs/configuration.md', 'Fields', 'field'))).toEqual(
      [...keySetFieldNames].sort(),
    );
  });

  // test/docs-webhooks.test.ts has the others.
  it.each([...formats.values()].filter(({ name }) => hasPage(name)))(
    'list every option of $name',
    ({ name, fields }) => {
      const options = Object.entries(fields).flatMap(([field, schema]) =>
        field === name ? optionsOf(schema) : field,
      );
      const { path, tables } = page(`docs/formats/${name}.md`);
      const listed = tables.some(({ heading }) => heading === 'Options')
        ? firstColumn(path, 'Options', 'option')
        : [];
      expect(names(listed)).toEqual(options.sort());
    },
  );

  it.each([
    ['README.md', 'Formats'],
    ['docs/formats/README.md', 'Choose a format'],
    ['docs/formats/README.md', 'Algorithms and keys'],
    ['docs/http-api.md', 'Requests and answers'],
    ['docs/derived-keys.md', 'How a secret is written'],
  ])('list every format: %s, %s', (path, heading) => {
    expect(formatsIn(firstColumn(path, heading, 'format'))).toEqual([...formats.keys()].sort());
  });

  it('give each format its algorithms, its shortest key, and how a derived secret is written', () => {
    const written = {
      whsec: 'whsec_ and base64',
      text: 'hex digits, which are the key as they stand',
      base64url: 'base64url of the key, as the k of a JWK',
      hex: 'hex of the key',
      base64: '',
    };
    const rowOf = (path: string, heading: string, name: string) => {
      const { rows } = page(path).table(heading, 'format');
      const own = rows.find(([cell = '']) => cell.split(', ').includes(name));
      return own ?? rows.find(([cell = '']) => Object.hasOwn(providers, name) && isOfOthers(cell));
    };
    const options: Readonly<Record<string, object>> = {
      'aws-sigv4': { accessKeyId: 'AKIDEXAMPLE', services: ['s3'], regions: ['us-east-1'] },
      webhook: { signed: '{body}', headers: { 'X-Signature': '{signature}' } },
    };
    for (const [name, { create }] of formats) {
      const format = create({ [name]: options[name] ?? {} });
      const [, algorithms, told] = rowOf('docs/formats/README.md', 'Algorithms and keys', name) ?? [];
      const shortest = new Set(
        format.algorithms.map((each) => Math.max(format.minKeyBytes?.(each) ?? 0, 16)),
      );
      const [, secret] = rowOf('docs/derived-keys.md', 'How a secret is written', name) ?? [];
      expect([name, algorithms, told?.match(/\b\d+/g)?.map(Number), secret]).toEqual([
        name,
        (name === 'webhook' ? webhookAlgorithms : format.algorithms).join(', '),
        [...shortest],
        written[format.secretEncoding ?? 'hex'],
      ]);
    }
  });

  it('list the headers that each webhook format reads, and the client passes them on', () => {
    const { rows } = page('docs/formats/README.md').table('Headers to pass on', 'format');
    const webhooks = streamedFormats.filter((name) => name !== 'raw');
    expect(formatsIn(rows.map(([name = '']) => name))).toEqual(webhooks.toSorted());
    const own = rows.filter(([name = '']) => Object.hasOwn(providers, name));
    expect(own).toHaveLength(5);
    for (const [name = '', listed = ''] of own) {
      const read = formats.get(name)?.create({}).verificationHeaders ?? [];
      expect([name, names([listed.toLowerCase()])]).toEqual([name, read.toSorted()]);
      const received = Object.fromEntries(read.map((each) => [each, 'x']));
      expect(receivedHeaders(received, name as keyof Formats)).toEqual(received);
    }
  });

  it('list every header that must not be passed on, and the client leaves them out', () => {
    const listed = names(firstColumn('docs/formats/README.md', 'Headers to pass on', 'header'));
    const headers = listed.map((name) => [name.replace('*', 'Test'), 'x'] as const);
    expect(headers.length).toBeGreaterThan(10);
    expect(receivedHeaders(Object.fromEntries(headers), 'github')).toEqual({});
    // The scheme of a configuration may have its signature there.
    const authorization = { authorization: 'x' };
    expect(receivedHeaders(Object.fromEntries(headers), 'webhook')).toEqual(authorization);
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
    const { rows } = page('docs/secret-volume.md').table('Which mounts update', 'mounted as');
    expect(rows.map(([how, updates]) => [how, updates])).toEqual(
      Object.entries(shownBy).map(([how, [updates]]) => [how, updates]),
    );
    const tests = ['secret-volume', 'cluster', 'key-sets']
      .flatMap((folder) => Object.values(readTexts(join(root, 'test', folder))))
      .join('\n');
    for (const [how, [, scenario]] of Object.entries(shownBy)) {
      expect([how, scenario.test(tests)]).toEqual([how, true]);
    }
  });

  it('number every scenario of the secret volume that has a test', () => {
    const listed = page('docs/secret-volume.md').tables.flatMap(({ header, rows }) =>
      header[0] === 'row' ? rows.map(([number]) => number) : [],
    );
    const tests = Object.values(readTexts(join(root, 'test/secret-volume'))).join('\n');
    const cited = [...tests.matchAll(/'([A-D]\d+)'/g)].map(([, number]) => number);
    expect(listed.toSorted()).toEqual([...new Set(cited)].sort());
  });

  it('have every row of the throughput that the benchmark prints, with its target', () => {
    const expected = scenarios(randomBytes(32)).flatMap(({ name, load, others }) => [
      [name, ''],
      ...others.map((other) => [
        rowOf(load, other),
        other.atLeast === undefined ? '' : `≥ ${format(other.atLeast)} ×`,
      ]),
    ]);
    const listed = page('docs/benchmarks.md')
      .table('Results', 'what')
      .rows.map(([name, , target]) => [name, target]);
    expect(listed.slice(0, expected.length)).toEqual(expected);
  });

  it('list scripts that exist, and what lies in src', () => {
    const scripts = firstColumn('docs/developing.md', 'Commands', 'command');
    const missing = scripts.filter(
      (each) => !Object.hasOwn(packageJson.scripts, each.split(' ').at(-1) ?? ''),
    );
    expect(missing).toEqual([]);
    const listed = firstColumn('docs/design.md', 'Where things are', 'folder or file');
    const entries = readdirSync(join(root, 'src'), { withFileTypes: true });
    const actual = entries
      .filter(({ name }) => !['package.json', 'tsconfig.json'].includes(name))
      .map((each) => (each.isDirectory() ? `${each.name}/` : each.name));
    expect(listed.toSorted()).toEqual(actual.sort());
  });
});

describe('the pages', () => {
  it('link to files and headings that exist', () => {
    const broken = pages.flatMap(({ path, links }) =>
      links
        .filter((link) => !/^https?:/.test(link))
        .filter((link) => {
          const [file = '', anchor] = link.split('#');
          const target = file === '' ? path : posix.join(posix.dirname(path), file);
          if (!existsSync(join(root, target))) return true;
          return anchor !== undefined && !page(target).anchors.includes(anchor);
        })
        .map((link) => `${path}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  it('are all in the list of pages', () => {
    const linked = page('docs/README.md').links.map((link) => posix.join('docs', link.replace(/#.*/, '')));
    const folder = pages.map(({ path }) => path).filter((path) => path.startsWith('docs/'));
    expect(folder.filter((path) => !linked.includes(path))).toEqual(['docs/README.md']);
    expect(page('README.md').text.split('\n').length).toBeLessThanOrEqual(251);
  });

  it('name files of the repository that exist', () => {
    const isPlaceholder = (name: string) => /\bacme\b/.test(name);
    const missing = pages.flatMap(({ path, codeSpans }) =>
      codeSpans
        .filter((name) => /^(?:src|test|docker|manifests|docs|\.ci)\/[\w./-]*$/.test(name))
        .filter((name) => !isPlaceholder(name) && !existsSync(join(root, name)))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('quote messages that the program has', () => {
    const isMade = messages();
    const columns = ['message', 'msg', 'detail', 'last lines of the log'];
    const parts = ['docs/operations.md', 'docs/logs.md', 'docs/troubleshooting.md']
      .flatMap((path) => page(path).tables)
      // These are partly those of the system and of curl.
      .filter(({ heading }) => heading !== 'The signer cannot be reached')
      .flatMap(({ header, sources }) =>
        sources.flatMap((row) => row.filter((_, index) => columns.includes(header[index] ?? ''))),
      )
      .flatMap((cell) => cell.match(/`[^`]+`/g) ?? [])
      .flatMap((message) => message.split(/`|…|\d+|\(E[A-Z]+\)/))
      .map((part) => part.trim())
      .filter((part) => part.length > 1);
    expect(parts.length).toBeGreaterThan(150);
    expect(parts.filter((part) => !isMade(part))).toEqual([]);
    expect(isMade('keys not loaded: not steady')).toBe(false);
  });

  it('install the package by the name that npm pack gives it', () => {
    const install = `npm install ./${packageJson.name}-${packageJson.version}.tgz`;
    const lines = pages.flatMap(({ text }) => text.match(/npm install \S*signer\S*/g) ?? []);
    expect(new Set(lines)).toEqual(new Set([install]));
    // What npm pack writes must not be committed by accident.
    const ignored = readFileSync(join(root, '.gitignore'), 'utf8').split('\n');
    expect(ignored).toContain('*.tgz');
  });

  it('say in bold, wherever a replaced key still verifies, that this ends with the process', () => {
    const page = readFileSync(join(root, 'docker/demo/public/index.html'), 'utf8');
    const texts = [...pages.map(({ text }) => text), page.replaceAll(/<\/?strong>/g, '**')];
    const promises = texts
      .flatMap((text) => text.replaceAll(/^\|.*$/gm, '$&\n').split(/\n\s*\n/))
      .filter((part) => /verif|valid/.test(part) && /\bhour\b|retainPreviousSeconds/.test(part))
      .filter((part) =>
        /old key|earlier key|replaced key|replaced plain key|whose file was replaced/i.test(part),
      );
    expect(promises.length).toBeGreaterThan(10);
    const isHonest = /\*\*[^*]*\b(?:process|restart|restarts|restarted)\b[^*]*\*\*/;
    expect(promises.filter((part) => !isHonest.test(part))).toEqual([]);
  });
});

describe('the code blocks', () => {
  const blocks = pages.flatMap(({ path, blocks: ofPage }) => ofPage.map((block) => ({ path, ...block })));
  const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));

  it('are in languages that a test looks at', () => {
    const checkedBelow = ['sh', 'console', 'yaml', 'json', 'ts', 'python', 'mermaid'];
    const checkedInDocsPages = ['text', 'go', 'java', 'ruby', 'php', 'perl', 'js'];
    const languages = new Set(blocks.map(({ language }) => language));
    expect([...languages].sort()).toEqual([...checkedBelow, ...checkedInDocsPages].sort());
  });

  it('in yaml are YAML, and configurations without a warning', () => {
    for (const { path, heading, code } of of('yaml')) {
      const at = `${path}, ${heading}`;
      const { errors, warnings } = parseDocument(code);
      expect([at, errors, warnings]).toEqual([at, [], []]);
      if (!/^keys:/m.test(code)) continue;
      expect([at, atOnce(parseConfiguration(code))]).toMatchObject([
        at,
        { ok: true, value: { warnings: [] } },
      ]);
    }
  });

  it('in json are JSON, and in mermaid flowcharts in which every bracket is closed', () => {
    for (const { code } of of('json')) expect(() => JSON.parse(code), code).not.toThrow();
    for (const { code } of of('mermaid')) {
      expect(code).toMatch(/^flowchart LR\n/);
      expect(code.match(/[([{]/g), code).toHaveLength(code.match(/[)\]}]/g)?.length ?? 0);
    }
  });

  it('in sh and console are accepted by bash', () => {
    const commandsOf = (code: string) =>
      (code.match(/^\$ .*(?:\n {4}.*)*/gm) ?? []).map((each) => each.slice(2));
    using scripts = writeBlocks(
      of('sh', 'console').map((block) =>
        block.language === 'sh' ? block : { ...block, code: commandsOf(block.code).join('\n') },
      ),
      'sh',
    );
    const check = 'for script in *.sh; do [ -s "$script" ] && bash -n "$script" || echo "$script" >&2; done';
    expect(spawnSync('bash', ['-c', check], { cwd: scripts.path, encoding: 'utf8' }).stderr).toBe('');
  });

  it('in ts, and Kubernetes objects, are accepted by the compiler', () => {
    const objects = of('yaml').flatMap((block) => {
      const { apiVersion, kind } = parse(block.code);
      // Objects of other projects, such as an ExternalSecret, have no types here.
      const isOther = /^(?:external-secrets\.io|secrets-store\.csi\.x-k8s\.io)\//.test(apiVersion ?? '');
      if (apiVersion === undefined || kind === 'Kustomization' || isOther) return [];
      const type = `import('kubernetes-models/${apiVersion}').I${kind}`;
      return { ...block, code: `export const object: ${type} = ${JSON.stringify(parse(block.code))};` };
    });
    // The types of that program are generated: test/interop/generated-client.test.ts compiles and runs it.
    const programs = of('ts').filter(({ heading }) => heading !== 'Generate a client');
    expect(programs).toHaveLength(of('ts').length - 1);
    using project = writeBlocks([...programs, ...objects], 'ts');
    const paths = {
      'sidecar-signer/client': ['../../src/client/index.ts'],
      'sidecar-signer/secret-volume': ['../../src/secret-volume/index.ts'],
    };
    const compilerOptions = { moduleDetection: 'force', paths };
    const config = { extends: '../../tsconfig.json', compilerOptions, include: ['*'] };
    writeFileSync(join(project.path, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/.bin/tsc');
    expect(spawnSync(tsc, ['-p', project.path], { encoding: 'utf8' }).stdout).toBe('');
  });

  const python = spawnSync('python3', ['--version']).status === 0;
  it.skipIf(!python)(`in python are compiled${python ? '' : ' (skipped: there is no python3)'}`, () => {
    using project = writeBlocks(of('python'), 'py');
    const files = readdirSync(project.path).map((name) => join(project.path, name));
    expect(spawnSync('python3', ['-m', 'py_compile', ...files], { encoding: 'utf8' }).stderr).toBe('');
  });
});

/** The blocks as files, named for their pages, within the checkout, so that its packages are found. */
function writeBlocks(
  blocks: readonly (CodeBlock & { readonly path: string })[],
  extension: string,
): Disposable & { readonly path: string } {
  mkdirSync(join(root, 'dist'), { recursive: true });
  const path = mkdtempSync(join(root, 'dist/docs-'));
  for (const [index, block] of blocks.entries()) {
    const name = `${block.path} ${block.heading} ${index}`.replaceAll(/\W+/g, '-');
    writeFileSync(join(path, `${name}.${extension}`), block.code);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** @returns whether the program can print this text, which may go on where a message has a value put in */
function messages(): (text: string) => boolean {
  const commander = join(root, 'node_modules/commander/lib');
  const files = [
    ...Object.values(readTexts(join(root, 'src'))),
    ...readdirSync(commander).map((name) => readFileSync(join(commander, name), 'utf8')),
  ];
  const program = files
    .join('\n')
    .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    .replaceAll(/['`] \+\s*['`]/g, '')
    .replaceAll("\\'", "'")
    .replaceAll(/\$\{[^}]*\}/g, '¤');
  const isMade = (text: string, before = ''): boolean => {
    if (new RegExp(before + RegExp.escape(text)).test(program)) return true;
    return [...text.matchAll(/ |(?=;)/g)].reverse().some(({ index }) => {
      const beginning = new RegExp(`${before}${RegExp.escape(text.slice(0, index))}\\s*[¤'"\`]`);
      return beginning.test(program) && isMade(text.slice(index).trimStart(), '[¤\'"`]\\s*');
    });
  };
  return isMade;
}
