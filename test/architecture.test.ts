/** The architecture as rules over the sources. Each rule holds in `src`, and is seen to fail on a planted violation. */

import { join } from 'node:path';
import { posix } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import { parseSources, readTexts, type Source } from './support/source-tree.ts';

/** A part is a folder of `src`, or a file beside the folders. A part imports itself and what lies on lines below it. */
const layers: readonly (readonly string[])[] = [
  ['main'],
  ['cli'],
  ['ops'],
  ['http', 'client', 'config'],
  ['audit'],
  ['signer'],
  ['key-sets', 'formats'],
  ['signing'],
  ['bytes'],
  ['api'],
  ['secret-volume', 'turns'],
];

/** Every module from outside that may be imported, and the parts or files that may. */
const homes: Readonly<Record<string, readonly string[]>> = {
  // The file system, the network and the operating system.
  'node:fs': ['cli', 'secret-volume'],
  'node:http': ['client/over-node-http.ts'],
  'node:net': ['cli', 'ops'],
  'node:os': ['cli'],
  'node:path': ['cli', 'secret-volume'],
  'node:stream': ['client/over-node-http.ts'],
  'node:util': ['cli', 'formats'],
  'bun:ffi': ['cli'],
  'node:timers': ['http', 'key-sets', 'ops', 'secret-volume', 'turns'],
  // Computation.
  'node:buffer': ['cli', 'key-sets'],
  'node:crypto': ['bytes', 'cli', 'key-sets', 'secret-volume', 'signing'],
  // Packages, each for what it is best at; of our own, the version.
  '@noble/hashes': ['signing'],
  chokidar: ['secret-volume'],
  commander: ['cli'],
  '@prometheus-io/client': ['ops'],
  'fastest-levenshtein': ['config', 'formats', 'key-sets'],
  hono: ['http', 'ops'],
  pino: ['ops'],
  'pino-pretty': ['ops'],
  'package.json': ['ops'],
  'structured-headers': ['formats'],
  yaml: ['cli', 'config'],
  zod: ['api', 'config', 'formats', 'http', 'key-sets'],
};

/** Globals by which a file reaches out of the program, and the files or folders that may use them. */
const globals: Readonly<Record<string, readonly string[]>> = {
  'process.env': ['cli/environment.ts'],
  'Bun.env': [],
  'import.meta.env': [],
  'Bun.serve': ['http/listen.ts'],
  'Bun.CryptoHasher': ['signing/mac.ts'],
  Bun: ['cli', 'http/listen.ts', 'signing/mac.ts'],
  fetch: ['cli', 'client'],
  WebSocket: [],
  require: [],
  eval: [],
  Function: [],
  globalThis: ['client/over-fetch.ts'],
  console: [],
};

/** Given the time and everything else as arguments, these can only compute. */
const pure = [
  'audit',
  'signer',
  'key-sets/snapshot.ts',
  'formats',
  'signing/format.ts',
  'signing/mac.ts',
  'signing/policy.ts',
  'bytes',
  'api',
];
const impurities = [
  'Date.now',
  'new Date()',
  'performance',
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'Math.random',
];

const bannedWords = new Set(
  'util utils helper helpers common type types manager managers service services misc shared lib base core'.split(
    ' ',
  ),
);

const partOf = (path: string) => path.split('/')[0]?.replace(/\.ts$/, '') ?? '';
const layerOf = (path: string) => layers.findIndex((layer) => layer.includes(partOf(path)));
const within = (path: string, places: readonly string[]) =>
  places.some((place) => partOf(path) === place || path === place);
const manifest = /^[./]+package\.json$/;
const isOurs = (specifier: string) => specifier.startsWith('.') && !manifest.test(specifier);
const ourImports = ({ path, imports }: Source) =>
  imports.filter(isOurs).map((specifier) => posix.join(posix.dirname(path), specifier));
/** `hono` of `hono/tiny`, `@noble/hashes` of `@noble/hashes/hmac.js`, `node:fs` of `node:fs/promises`. */
const moduleOf = (specifier: string) =>
  manifest.test(specifier)
    ? 'package.json'
    : specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

/** What is wrong in the sources, a line for each violation. */
type Rule = (sources: readonly Source[]) => readonly string[];

const perFile =
  (violations: (source: Source) => readonly string[]): Rule =>
  (sources) =>
    sources.flatMap((source) => violations(source).map((violation) => `${source.path}: ${violation}`));

const rules = {
  'every file has a place in the layers': perFile(({ path }) =>
    layerOf(path) === -1 ? [`${partOf(path)} is on no line of the table`] : [],
  ),

  'imports point to the layers below': perFile((source) =>
    ourImports(source)
      .filter((target) => partOf(target) !== partOf(source.path))
      .filter((target) => layerOf(target) <= layerOf(source.path))
      .map((target) => `must not import ${target}`),
  ),

  'no import goes round in a circle, types included': (sources) => {
    const graph = new Map(sources.map((source) => [source.path, ourImports(source)]));
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, trail: readonly string[]) => {
      if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      if (done.has(path) || trail.includes(path)) return;
      for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
    return circles;
  },

  'of the rest of src, the client imports the API alone': perFile((source) =>
    partOf(source.path) !== 'client'
      ? []
      : ourImports(source)
          .filter((target) => !within(target, ['client', 'api']))
          .map((target) => `must not import ${target}`),
  ),

  'a module from outside is imported at home only': perFile(({ path, imports }) =>
    imports
      .filter((specifier) => !isOurs(specifier) && !within(path, homes[moduleOf(specifier)] ?? []))
      .map((specifier) => `must not import ${specifier}`),
  ),

  'only its place reaches out of the program': perFile(({ path, names }) =>
    Object.entries(globals)
      .filter(([name, places]) => names.has(name) && !within(path, places))
      .map(([name]) => `must not use ${name}`),
  ),

  'the core is pure': perFile(({ path, names }) =>
    within(path, pure)
      ? impurities.filter((name) => names.has(name)).map((name) => `must not use ${name}`)
      : [],
  ),

  'a file is named for what it holds': perFile(({ path }) =>
    path
      .replace(/\.ts$/, '')
      .split(/[/.-]/)
      .filter((word) => bannedWords.has(word))
      .map((word) => `"${word}" says nothing of it`),
  ),

  'every file opens with what it owns': perFile(({ text }) =>
    /^(?:#!.*\n)?\/\*\*(?:(?!\*\/)[\s\S]){20,}\*\/\n/.test(text) ? [] : ['begins without a doc comment'],
  ),
} satisfies Record<string, Rule>;

describe('src', () => {
  const sources = parseSources(readTexts(join(import.meta.dirname, '../src')));

  it('is read whole, with its imports', () => {
    const read = new Map(sources.map((source) => [source.path, source]));
    expect(read.get('main.ts')?.imports).toContain('./cli/program.ts');
    expect(read.get('secret-volume/index.ts')?.imports).toContain('./volume.ts');
    expect(read.size).toBeGreaterThan(40);
  });

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(sources)).toEqual([]);
  });

  it('imports every module that has a home', () => {
    const imported = new Set(sources.flatMap(({ imports }) => imports.map(moduleOf)));
    expect(Object.keys(homes).filter((name) => !imported.has(name))).toEqual([]);
  });
});

describe('test', () => {
  const texts = Object.entries(readTexts(import.meta.dirname));
  const sources = texts.map(([path, text]) => ({ path, text, imports: [], names: new Set<string>() }));

  it('has files that are named for what they hold', () => {
    expect(sources.length).toBeGreaterThan(10);
    expect(rules['a file is named for what it holds'](sources)).toEqual([]);
  });
});

describe('a planted violation is found:', () => {
  /** For each rule, files by their path. The first of them breaks the rule. */
  const plants: Readonly<Record<keyof typeof rules, readonly Readonly<Record<string, string>>[]>> = {
    'every file has a place in the layers': [{ 'plugins/one.ts': '' }],
    'imports point to the layers below': [
      { 'http/a.ts': "import '../cli/b.ts';" },
      { 'http/a.ts': "import '../config/b.ts';" },
      { 'signer.ts': "import './http/a.ts';" },
      { 'key-sets/a.ts': "import '../formats/b.ts';" },
      { 'formats/a.ts': "import '../key-sets/b.ts';" },
      { 'key-sets/a.ts': "import '../ops/log.ts';" },
      { 'secret-volume/a.ts': "import '../api/messages.ts';" },
      { 'cli/a.ts': "import '../../test/b.ts';" },
      { 'signing/a.ts': "import type { K } from '../key-sets/b.ts';" },
      { 'signing/a.ts': "export * from '../key-sets/b.ts';" },
      { 'signing/a.ts': "const keys = await import('../key-sets/b.ts');" },
    ],
    'no import goes round in a circle, types included': [
      { 'key-sets/a.ts': "import './b.ts';", 'key-sets/b.ts': "import type { A } from './a.ts';" },
    ],
    'of the rest of src, the client imports the API alone': [
      { 'client/a.ts': "import '../signing/mac.ts';" },
    ],
    'a module from outside is imported at home only': [
      { 'key-sets/a.ts': "import 'node:fs/promises';" },
      { 'client/client.ts': "import 'node:http';" },
      { 'client/client.ts': "import 'hono/client';" },
      { 'formats/a.ts': "import 'fs';" },
      { 'formats/a.ts': "import 'node:crypto';" },
      { 'cli/a.ts': "import 'node:process';" },
      { 'secret-volume/a.ts': "import 'bun';" },
      { 'signing/a.ts': "import '../../package.json';" },
      { 'cli/a.ts': "import 'left-pad';" },
    ],
    'only its place reaches out of the program': [
      { 'key-sets/a.ts': 'process.env.HOME;' },
      { 'config/a.ts': "process['env'];" },
      { 'cli/a.ts': 'const { env } = process;' },
      { 'cli/a.ts': 'Bun.env.HOME;' },
      { 'key-sets/a.ts': "Bun.file('x');" },
      { 'cli/a.ts': 'Bun.serve(options);' },
      { 'cli/a.ts': "new Bun.CryptoHasher('sha256', key);" },
      { 'formats/a.ts': "await fetch('x');" },
      { 'signing/a.ts': 'globalThis.process.env;' },
    ],
    'the core is pure': [
      { 'signer.ts': 'const now = Date.now();' },
      { 'formats/a.ts': 'const now = new Date();' },
      { 'signing/policy.ts': 'performance.now();' },
      { 'signing/mac.ts': 'setTimeout(later, 5);' },
      { 'formats/a.ts': 'const id = Math.random();' },
    ],
    'a file is named for what it holds': [
      { 'http/utils.ts': '' },
      { 'key-sets/key-manager.ts': '' },
      { 'common/a.ts': '' },
    ],
    'every file opens with what it owns': [
      { 'signing/a.ts': 'export const a = 1;\n' },
      { 'signing/a.ts': '// The only place that computes HMAC.\n' },
      { 'signing/a.ts': '/** MAC. */\n' },
      { 'signing/a.ts': "import 'hono';\n/** The only place. */\n" },
    ],
  };
  const listed = Object.entries(plants).flatMap(([name, files]) => files.map((texts) => ({ name, texts })));

  // All of them are parsed at once, each in a folder of its own.
  const planted = parseSources(
    Object.fromEntries(
      listed.flatMap(({ texts }, index) =>
        Object.entries(texts).map(([path, text]) => [`${index}/${path}`, text]),
      ),
    ),
  );

  it.each(
    listed.map(({ name, texts }, index) => ({ name, index, code: Object.entries(texts).flat().join(': ') })),
  )('$name ($code)', ({ name, index }) => {
    const folder = `${index}/`;
    const sources = planted
      .filter(({ path }) => path.startsWith(folder))
      .map((source) => ({ ...source, path: source.path.slice(folder.length) }));
    expect(rules[name as keyof typeof rules](sources).join()).toContain(sources[0]?.path);
  });
});
