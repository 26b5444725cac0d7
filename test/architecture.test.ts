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
  'node:net': ['cli'],
  'node:path': ['cli', 'secret-volume'],
  'node:stream': ['client/over-node-http.ts'],
  'node:util': ['cli', 'formats'],
  'bun:ffi': ['cli'],
  'node:timers': ['http', 'ops', 'secret-volume', 'turns'],
  // Computation.
  'node:buffer': ['cli', 'key-sets'],
  'node:crypto': ['bytes', 'cli', 'key-sets', 'secret-volume', 'signing'],
  // Packages, each for what it is best at; of our own, the version.
  '@noble/hashes': ['signing'],
  chokidar: ['secret-volume'],
  commander: ['main', 'cli'],
  '@prometheus-io/client': ['ops'],
  'fastest-levenshtein': ['config', 'key-sets'],
  hono: ['http', 'ops'],
  pino: ['ops'],
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
  Bun: ['cli', 'http/listen.ts'],
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

  'imports stay in src': perFile((source) =>
    ourImports(source)
      .filter((target) => target.startsWith('..'))
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

  'secret-volume stands alone': perFile((source) =>
    partOf(source.path) !== 'secret-volume'
      ? []
      : ourImports(source)
          .filter((target) => partOf(target) !== 'secret-volume')
          .map((target) => `must not import ${target}`),
  ),

  'the client needs no package, and of the rest only the API': perFile((source) =>
    partOf(source.path) !== 'client'
      ? []
      : [
          ...source.imports.filter((specifier) => !isOurs(specifier) && !specifier.startsWith('node:')),
          ...ourImports(source).filter((target) => !within(target, ['client', 'api'])),
        ].map((target) => `must not import ${target}`),
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

  'a file is named for what it holds': perFile(({ path }) => {
    const words = path.replace(/(?:\.test)?\.ts$/, '').split(/[/-]/);
    const wrong = words.filter((word) => bannedWords.has(word) || !/^[a-z0-9]+$/.test(word));
    return wrong.map((word) => `"${word}" says nothing of it, or is not kebab-case`);
  }),

  'no file has over 300 lines': perFile(({ text }) => {
    const lines = text.trimEnd().split('\n').length;
    return lines > 300 ? [`${lines} lines`] : [];
  }),

  'every file opens with what it owns': perFile(({ text }) =>
    /^(?:#!.*\n)?\/\*\*(?:(?!\*\/)[\s\S]){20,}\*\/\n/.test(text) ? [] : ['begins without a doc comment'],
  ),
} satisfies Record<string, Rule>;

type RuleName = keyof typeof rules;

describe('src', () => {
  const sources = parseSources(readTexts(join(import.meta.dirname, '../src')));

  it('is read whole, with its imports', () => {
    const read = new Map(sources.map((source) => [source.path, source]));
    expect(read.get('main.ts')?.imports).toContain('commander');
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
  /** Files by their path, and the rule that one of them breaks. */
  const plants: readonly (readonly [RuleName, string, Readonly<Record<string, string>>])[] = [
    ['every file has a place in the layers', 'a new folder', { 'plugins/one.ts': '' }],
    ['imports point to the layers below', 'http sees a command', { 'http/a.ts': "import '../cli/b.ts';" }],
    [
      'imports point to the layers below',
      'http reads the flags',
      { 'http/a.ts': "import '../config/b.ts';" },
    ],
    [
      'imports point to the layers below',
      'the signer sees a request',
      { 'signer.ts': "import './http/a.ts';" },
    ],
    [
      'imports point to the layers below',
      'keys see formats',
      { 'key-sets/a.ts': "import '../formats/b.ts';" },
    ],
    [
      'imports point to the layers below',
      'formats see keys',
      { 'formats/a.ts': "import '../key-sets/b.ts';" },
    ],
    [
      'imports point to the layers below',
      'even as a type',
      { 'signing/a.ts': "import type { K } from '../key-sets/b.ts';" },
    ],
    [
      'imports point to the layers below',
      'or only to pass it on',
      { 'signing/a.ts': "export * from '../key-sets/b.ts';" },
    ],
    [
      'imports point to the layers below',
      'or later',
      { 'signing/a.ts': "const keys = await import('../key-sets/b.ts');" },
    ],
    [
      'imports point to the layers below',
      'a part writes to the log',
      { 'key-sets/a.ts': "import '../ops/log.ts';" },
    ],
    ['imports stay in src', 'a test in the program', { 'cli/a.ts': "import '../../test/b.ts';" }],
    [
      'no import goes round in a circle, types included',
      'by a type',
      { 'key-sets/a.ts': "import './b.ts';", 'key-sets/b.ts': "import type { A } from './a.ts';" },
    ],
    ['secret-volume stands alone', 'it sees a key', { 'secret-volume/a.ts': "import '../api/messages.ts';" }],
    [
      'the client needs no package, and of the rest only the API',
      'hono',
      { 'client/a.ts': "import 'hono/client';" },
    ],
    [
      'the client needs no package, and of the rest only the API',
      'keys',
      { 'client/a.ts': "import '../signing/mac.ts';" },
    ],
    [
      'a module from outside is imported at home only',
      'a file',
      { 'key-sets/a.ts': "import 'node:fs/promises';" },
    ],
    [
      'a module from outside is imported at home only',
      'a socket',
      { 'client/client.ts': "import 'node:http';" },
    ],
    ['a module from outside is imported at home only', 'an old name', { 'formats/a.ts': "import 'fs';" }],
    [
      'a module from outside is imported at home only',
      'the environment',
      { 'cli/a.ts': "import 'node:process';" },
    ],
    ['a module from outside is imported at home only', 'HMAC', { 'formats/a.ts': "import 'node:crypto';" }],
    ['a module from outside is imported at home only', 'hono in keys', { 'key-sets/a.ts': "import 'hono';" }],
    ['a module from outside is imported at home only', 'Bun', { 'secret-volume/a.ts': "import 'bun';" }],
    [
      'a module from outside is imported at home only',
      'the version',
      { 'signing/a.ts': "import '../../package.json';" },
    ],
    ['a module from outside is imported at home only', 'a new package', { 'cli/a.ts': "import 'left-pad';" }],
    [
      'only its place reaches out of the program',
      'the environment',
      { 'key-sets/a.ts': 'process.env.HOME;' },
    ],
    ['only its place reaches out of the program', 'by its name', { 'config/a.ts': "process['env'];" }],
    [
      'only its place reaches out of the program',
      'by taking it out',
      { 'cli/a.ts': 'const { env } = process;' },
    ],
    ['only its place reaches out of the program', 'as Bun has it', { 'cli/a.ts': 'Bun.env.HOME;' }],
    ['only its place reaches out of the program', 'a file', { 'key-sets/a.ts': "Bun.file('x');" }],
    ['only its place reaches out of the program', 'a second server', { 'cli/a.ts': 'Bun.serve(options);' }],
    ['only its place reaches out of the program', 'a request', { 'formats/a.ts': "await fetch('x');" }],
    [
      'only its place reaches out of the program',
      'in a roundabout way',
      { 'signing/a.ts': 'globalThis.process.env;' },
    ],
    ['the core is pure', 'a clock', { 'signer.ts': 'const now = Date.now();' }],
    ['the core is pure', 'another clock', { 'formats/a.ts': 'const now = new Date();' }],
    ['the core is pure', 'a third clock', { 'signing/policy.ts': 'performance.now();' }],
    ['the core is pure', 'a timer', { 'signing/mac.ts': 'setTimeout(later, 5);' }],
    ['the core is pure', 'chance', { 'formats/a.ts': 'const id = Math.random();' }],
    ['a file is named for what it holds', 'utils', { 'http/utils.ts': '' }],
    ['a file is named for what it holds', 'a manager', { 'key-sets/key-manager.ts': '' }],
    ['a file is named for what it holds', 'a folder', { 'common/a.ts': '' }],
    ['a file is named for what it holds', 'camel case', { 'key-sets/keyFile.ts': '' }],
    ['no file has over 300 lines', 'by one', { 'signing/a.ts': 'a;\n'.repeat(301) }],
    ['every file opens with what it owns', 'nothing', { 'signing/a.ts': 'export const a = 1;\n' }],
    [
      'every file opens with what it owns',
      'a remark',
      { 'signing/a.ts': '// The only place that computes HMAC.\n' },
    ],
    ['every file opens with what it owns', 'too little', { 'signing/a.ts': '/** MAC. */\n' }],
    [
      'every file opens with what it owns',
      'too late',
      { 'signing/a.ts': "import 'hono';\n/** The only place. */\n" },
    ],
  ];

  // All of them are parsed at once, each in a folder of its own.
  const planted = parseSources(
    Object.fromEntries(
      plants.flatMap(([, , texts], index) =>
        Object.entries(texts).map(([path, text]) => [`${index}/${path}`, text]),
      ),
    ),
  );
  const plantedAt = (index: number) =>
    planted
      .filter(({ path }) => path.startsWith(`${index}/`))
      .map((source) => ({ ...source, path: source.path.slice(`${index}/`.length) }));

  it.each(plants.map(([name, what], index) => ({ name, what, index })))(
    '$name ($what)',
    ({ name, index }) => {
      const sources = plantedAt(index);
      expect(rules[name](sources).join()).toContain(sources[0]?.path);
    },
  );

  it('for every rule', () => {
    expect(new Set(plants.map(([name]) => name))).toEqual(new Set(Object.keys(rules)));
  });
});
