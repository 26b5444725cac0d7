/** The linter's rules are in force: each is seen to fire on a planted violation, in a copy of the project's layout. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryDirectory } from './support/signer.ts';

const root = join(import.meta.dirname, '..');

/** A line of code in a file of the project, and the rule that refuses it there, if any does. */
interface Row {
  readonly path: string;
  readonly code: string;
  readonly rule: string | undefined;
}

const rows: Row[] = [];
const deny = (rule: string, path: string, ...lines: readonly string[]) =>
  rows.push(...lines.map((code) => ({ path, code, rule })));
const allow = (path: string, ...lines: readonly string[]) =>
  rows.push(...lines.map((code) => ({ path, code, rule: undefined })));

const imports = 'style/noRestrictedImports';
const importOf = (specifier: string) => `import '${specifier}';`;
const everyFileApi = ['node:fs', 'node:fs/promises', 'chokidar'].map(importOf);

// Imports point one way, and keys and formats never see each other.
deny(imports, 'src/http/a.ts', importOf('../cli/serve.ts'), ...everyFileApi);
allow('src/http/a.ts', importOf('../signer.ts'), importOf('../keys/snapshot.ts'), importOf('hono'));
deny(imports, 'src/keys/a.ts', ...['../formats/raw.ts', '../http/app.ts', '../cli/serve.ts'].map(importOf));
deny(imports, 'src/keys/a.ts', importOf('../signer.ts'), importOf('hono'), ...everyFileApi);
deny(imports, 'src/keys/a.ts', "import type { Format } from '../formats/index.ts';");
allow('src/keys/a.ts', importOf('../mac.ts'), importOf('../secret-volume/index.ts'));
deny(imports, 'src/formats/a.ts', ...['../keys/store.ts', '../http/app.ts', '../cli/serve.ts'].map(importOf));
deny(imports, 'src/formats/a.ts', importOf('../signer.ts'), importOf('hono'), ...everyFileApi);
deny(imports, 'src/formats/a.ts', "import type { KeySet } from '../keys/snapshot.ts';");
allow('src/formats/a.ts', importOf('../mac.ts'), importOf('../errors.ts'));
deny(imports, 'src/signer.ts', ...['./http/app.ts', './cli/serve.ts', 'hono'].map(importOf), ...everyFileApi);
allow('src/signer.ts', importOf('./keys/snapshot.ts'), importOf('./policy.ts'));
for (const path of ['mac', 'policy', 'format', 'schema', 'wire', 'errors', 'encoding', 'digest', 'json']) {
  const above = ['keys/store.ts', 'formats/raw.ts', 'http/app.ts', 'cli/serve.ts', 'signer.ts'];
  deny(imports, `src/${path}.ts`, ...above.map((each) => importOf(`./${each}`)), ...everyFileApi);
}
allow('src/mac.ts', importOf('node:crypto'), importOf('@noble/hashes/hmac.js'));

// secret-volume imports nothing of the rest.
deny(
  imports,
  'src/secret-volume/a.ts',
  ...['../mac.ts', '../log.ts', 'hono', 'bun', 'bun:ffi'].map(importOf),
);

// Only secret-volume and cli touch the file system.
allow('src/secret-volume/a.ts', ...everyFileApi, importOf('./problem.ts'));
allow('src/cli/a.ts', ...everyFileApi, importOf('../http/app.ts'));
for (const path of ['src/log.ts', 'src/config/a.ts', 'src/client/a.ts', 'src/main.ts']) {
  deny(imports, path, ...everyFileApi);
}

// Only the environment file reads the environment.
for (const path of ['src/cli/a.ts', 'src/http/a.ts', 'src/secret-volume/a.ts', 'src/config/a.ts']) {
  deny('style/noProcessEnv', path, 'process.env;');
}
allow('src/config/environment.ts', 'process.env;');

// What no file does.
deny('style/noDefaultExport', 'src/keys/default.ts', 'export default 1;');
deny('style/noNonNullAssertion', 'src/keys/b.ts', 'export const first = (list: number[]) => list[0]!;');
deny('suspicious/noExplicitAny', 'src/keys/b.ts', 'export const anything = (value: any) => value;');
deny('suspicious/noConsole', 'src/cli/a.ts', 'console.log(1);');
deny('style/useNodejsImportProtocol', 'src/cli/a.ts', importOf('fs'));
deny('nursery/noFloatingPromises', 'src/keys/b.ts', 'Promise.resolve(1);');
deny('suspicious/noImportCycles', 'src/keys/circle-one.ts', importOf('./circle-two.ts'));
deny('suspicious/noImportCycles', 'src/keys/circle-two.ts', "import type { One } from './circle-one.ts';");
deny('style/useFilenamingConvention', 'src/keys/camelCase.ts', 'export {};');
deny('style/noExcessiveLinesPerFile', 'src/keys/long.ts', `export const long = [${'\n1,'.repeat(300)}];`);

// Tests may do what they need.
allow('test/a.test.ts', ...everyFileApi, importOf('../src/cli/serve.ts'), 'process.env;', 'console.log(1);');
allow('vitest.config.ts', 'export default {};');

interface Diagnostic {
  readonly category: string;
  readonly location: { readonly path: string; readonly start: { readonly line: number } };
}

/** The rules that fired, for each line of each file. */
function lint(): ReadonlyMap<string, ReadonlySet<string>> {
  using directory = temporaryDirectory();
  for (const name of ['.biome.json', '.gitignore']) cpSync(join(root, name), join(directory.path, name));
  const files = Map.groupBy(rows, ({ path }) => path);
  for (const [path, lines] of files) {
    const file = join(directory.path, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${lines.map(({ code }) => code).join('\n')}\n`);
  }
  const biome = join(root, 'node_modules/.bin/biome');
  const args = ['lint', '--reporter=json', '--max-diagnostics=none'];
  const { stdout } = spawnSync(biome, args, { cwd: directory.path, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Diagnostic[] };
  const fired = new Map<string, Set<string>>();
  for (const { category, location } of diagnostics) {
    // A rule about a whole file names no line.
    const place = `${location.path}:${Math.max(location.start.line, 1)}`;
    fired.set(place, (fired.get(place) ?? new Set()).add(category.replace('lint/', '')));
  }
  return fired;
}

const fired = lint();
const placed = [...Map.groupBy(rows, ({ path }) => path).values()].flatMap((lines) =>
  lines.map((row, index) => ({ ...row, what: row.code.split('\n')[0], place: `${row.path}:${index + 1}` })),
);

it.each(placed.filter(({ rule }) => rule !== undefined))(
  '$rule refuses $what in $path',
  ({ place, rule }) => {
    expect([...(fired.get(place) ?? [])]).toContain(rule);
  },
);

it.each(placed.filter(({ rule }) => rule === undefined))('$what may stand in $path', ({ place }) => {
  const layout = /^style\/(?:noRestrictedImports|noProcessEnv|noDefaultExport)$|^suspicious\/noConsole$/;
  expect([...(fired.get(place) ?? [])].filter((rule) => layout.test(rule))).toEqual([]);
});
