/** `npm test`: runs the test suites through vitest, and the suite of the secret volume on Bun too. `--help` says how. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { obstacle as browserObstacle } from './browser/obstacle.ts';
import { obstacle as clusterObstacle } from './cluster/obstacle.ts';
import { obstacle as imageObstacle } from './image/obstacle.ts';

/** The oldest Node that package.json allows. npm downloads it. */
const oldestNode = 'node@22.22.0';

/** The vitest projects by name, and why this machine cannot run them: undefined when it can. */
const suites: Readonly<
  Record<string, { readonly covers: string; readonly obstacle?: () => string | undefined }>
> = {
  unit: { covers: 'pure modules, test vectors, import rules' },
  volume: { covers: 'every way a mounted secret changes, on Node and Bun; in CI on the oldest Node too' },
  soak: { covers: 'the long runs of the secret volume and the fuzzing of every request, shortened' },
  interop: { covers: 'independent clients of every format, in both directions' },
  hostile: { covers: 'hostile requests and key directories' },
  e2e: { covers: 'the compiled binary as its users run it' },
  image: { covers: 'the container image', obstacle: imageObstacle },
  cluster: { covers: 'the manifests, and a real kubelet that mounts secrets', obstacle: clusterObstacle },
  browser: { covers: 'the demo under compose, and its page in a real browser', obstacle: browserObstacle },
};

const help = `Usage: npm test [-- SUITE… | -- FILE…] [vitest options]

  npm test                                     every suite that this machine can run
  npm test -- unit volume                      these suites
  npm test -- test/http/guard.test.ts          one file
  npm test -- test/http/guard.test.ts -t Host  the tests of that file whose names contain "Host"

Suites:
${Object.entries(suites)
  .map(([name, { covers }]) => `  ${name.padEnd(8)} ${covers}\n`)
  .join('')}
With CI=true a suite that cannot run and a test that is skipped are failures.
`;

const inCi = process.env['CI'] === 'true';
const args = process.argv.slice(2);
const firstOther = args.findIndex((arg) => !Object.hasOwn(suites, arg));
const named = firstOther < 0 ? args : args.slice(0, firstOther);
/** Files and options, for vitest alone. */
const others = args.slice(named.length);

if (args.includes('--help')) {
  process.stdout.write(help);
} else if (named.length === 0 && others.length > 0) {
  // vitest finds the suite that a file belongs to.
  process.exitCode = runVitest(others) ? 0 : 1;
} else {
  process.exitCode = runSuites(named.length > 0 ? named : Object.keys(suites)) ? 0 : 1;
}

function runSuites(chosen: readonly string[]): boolean {
  const obstacles = new Map(chosen.map((name) => [name, suites[name]?.obstacle?.()]));
  const runnable = chosen.filter((name) => obstacles.get(name) === undefined);
  const isWholeVolume = runnable.includes('volume') && others.length === 0;
  // No other tests run after a failure, so that the output ends with what failed.
  const passed =
    (runnable.length === 0 || runVitest([...projects(...runnable), ...others])) &&
    (!isWholeVolume || runVolumeElsewhere());
  for (const [name, obstacle] of obstacles) {
    if (obstacle !== undefined) console.log(`left out: ${name}, since ${obstacle}`);
  }
  const isComplete = runnable.length === chosen.length || !inCi;
  return passed && isComplete;
}

/** The oldest Node is CI's alone, to keep the run on a developer's machine short. */
function runVolumeElsewhere(): boolean {
  return runBun('./test/secret-volume') && (!inCi || runVitest(projects('volume'), oldestNode));
}

function projects(...names: readonly string[]): string[] {
  return names.flatMap((name) => ['--project', name]);
}

/** @param version an npm package of Node; default: the Node that the project installs */
function runVitest(options: readonly string[], version?: string): boolean {
  const node =
    version === undefined ? ['node'] : ['npm', 'exec', '--yes', `--package=${version}`, '--', 'node'];
  const command = [...node, 'node_modules/vitest/vitest.mjs', 'run', ...options];
  if (!inCi) return run(command);
  const reporters = ['--reporter=default', '--reporter=json'];
  return withResult(
    (file) => run([...command, ...reporters, `--outputFile.json=${file}`]),
    [/"numPendingTests":0,/, /"numTodoTests":0,/],
  );
}

/** vitest itself does not run on Bun, but Bun's own runner takes the same tests. */
function runBun(folder: string): boolean {
  const command = ['bun', 'test', '--parallel=2', '--timeout', '60000', folder];
  if (!inCi) return run(command);
  const reporter = ['--reporter=junit', '--reporter-outfile'];
  return withResult((file) => run([...command, ...reporter, file]), [/<testsuites [^>]*\bskipped="0"/]);
}

/** Runs tests that write a result file; they pass if the file also says that none was skipped. */
function withResult(runTests: (file: string) => boolean, noneSkipped: readonly RegExp[]): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'suites-'));
  const file = join(directory, 'result');
  try {
    if (!runTests(file)) return false;
    const result = readFileSync(file, 'utf8');
    if (noneSkipped.every((pattern) => pattern.test(result))) return true;
    console.error('in CI no test may be skipped');
    return false;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run([command = '', ...options]: readonly string[]): boolean {
  return spawnSync(command, options, { stdio: 'inherit' }).status === 0;
}
