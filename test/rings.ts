/**
 * Runs the rings of tests, from pure functions to real clients, each through vitest, or through Bun's own runner where
 * the runtime is what is tested. A ring that this machine cannot run is
 * left out by name and reason; with CI=true that is a failure. `npm test -- unit e2e` runs the named ones.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { obstacle as browserObstacle } from './browser/obstacle.ts';
import { obstacle as clusterObstacle } from './cluster/obstacle.ts';
import { obstacle as imageObstacle } from './image/obstacle.ts';

interface Ring {
  /** The name of its vitest project. */
  readonly name: string;
  readonly covers: string;
  /** What its tests run on, if not the Node that the project installs. */
  readonly runtime?: 'bun' | typeof oldestNode;
  readonly needsBinary?: true;
  /** Why this machine cannot run it; undefined when it can. */
  readonly obstacle?: () => string | undefined;
}

/** The first that package.json admits; npm fetches it when the ring is run. */
const oldestNode = 'node@22.22.0';

const rings: readonly Ring[] = [
  { name: 'unit', covers: 'pure modules, vectors, architecture' },
  { name: 'volume', covers: 'every way a mounted secret changes, on Node' },
  { name: 'volume', covers: 'the same, on Bun', runtime: 'bun' },
  {
    name: 'volume',
    covers: 'the same, on the oldest Node that the library is for',
    runtime: oldestNode,
    obstacle: () => (runNode(oldestNode, ['--version']) ? undefined : `npm cannot fetch ${oldestNode}`),
  },
  { name: 'soak', covers: 'the long runs of the secret volume in short, on Node and on Bun' },
  { name: 'interop', covers: 'independent clients of every format, in both directions', needsBinary: true },
  { name: 'hostile', covers: 'hostile requests and key directories', needsBinary: true },
  { name: 'e2e', covers: 'the compiled binary as its users run it', needsBinary: true },
  { name: 'image', covers: 'the container image, run as its users run it', obstacle: imageObstacle },
  {
    name: 'cluster',
    covers: 'the manifests, and a real kubelet that mounts secrets',
    obstacle: clusterObstacle,
  },
  {
    name: 'browser',
    covers: 'the demo by compose, and its page in a real browser',
    obstacle: browserObstacle,
  },
];

interface Outcome {
  readonly ring: Ring;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The names of the tests that failed, as far as they are known. */
  readonly failures: readonly string[];
  readonly seconds: number;
  /** Why it did not run. */
  readonly leftOut?: string;
}

const inCi = process.env['CI'] === 'true';
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !rings.some((ring) => ring.name === name));
if (unknown.length > 0) {
  console.error(
    `no ring ${unknown.join(', ')}; the rings are ${[...new Set(rings.map(({ name }) => name))].join(', ')}`,
  );
  process.exit(2);
}
const chosen = rings.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (chosen.some(({ needsBinary }) => needsBinary) && !run('npm', ['run', '--silent', 'build:binary'])) {
  console.error('the binary could not be built');
  process.exit(1);
}

const outcomes = chosen.map(runRing);
report(outcomes);
const total = (count: (outcome: Outcome) => number) => outcomes.reduce((sum, each) => sum + count(each), 0);
const [passed, failed, skipped] = [total((o) => o.passed), total((o) => o.failed), total((o) => o.skipped)];
for (const { ring, failures } of outcomes)
  for (const name of failures) console.log(`failed in ${label(ring)}: ${name}`);
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
const incomplete = skipped > 0 || outcomes.some(({ leftOut }) => leftOut !== undefined);
if (inCi && incomplete) console.error('in CI nothing may be left out or skipped');
process.exitCode = failed > 0 || passed === 0 || (inCi && incomplete) ? 1 : 0;

function runRing(ring: Ring): Outcome {
  const leftOut = ring.obstacle?.();
  const none = { ring, passed: 0, failed: 0, skipped: 0, failures: [], seconds: 0 };
  if (leftOut !== undefined) return { ...none, leftOut };
  console.log(styleText('bold', `\n${label(ring)}: ${ring.covers}`));
  const directory = mkdtempSync(join(tmpdir(), 'rings-'));
  const resultFile = join(directory, 'result.json');
  const started = performance.now();
  const ended = ring.runtime === 'bun' ? runBun(ring.name, resultFile) : runVitest(ring, resultFile);
  const seconds = (performance.now() - started) / 1000;
  try {
    const text = readFileSync(resultFile, 'utf8');
    const { failed, ...counts } = ring.runtime === 'bun' ? junitCounts(text) : vitestCounts(text);
    // A run can fail by an error outside of every test.
    return { ring, ...counts, failed: ended ? failed : Math.max(failed, 1), seconds };
  } catch {
    return { ...none, failed: 1, seconds };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

type Counts = Pick<Outcome, 'passed' | 'failed' | 'skipped' | 'failures'>;

function runVitest({ name, runtime }: Ring, resultFile: string): boolean {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${resultFile}`];
  return runNode(runtime, ['node_modules/vitest/vitest.mjs', 'run', '--project', name, ...reporters]);
}

/** @param version an npm package; default: the Node that the project installs */
function runNode(version: string | undefined, args: readonly string[]): boolean {
  if (version === undefined) return run('node', args);
  return run('npm', ['exec', '--yes', `--package=${version}`, '--', 'node', ...args]);
}

/** vitest itself does not run on Bun; Bun's runner takes the same tests. */
function runBun(project: string, resultFile: string): boolean {
  const folder = project === 'volume' ? './test/secret-volume' : `./test/${project}`;
  const reporter = ['--reporter=junit', `--reporter-outfile=${resultFile}`];
  return run('bun', ['test', '--timeout', '60000', ...reporter, folder]);
}

interface VitestResult {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

function vitestCounts(text: string): Counts {
  const result = JSON.parse(text) as VitestResult;
  const broken = result.testResults.filter(brokenFile);
  const tests = result.testResults.flatMap(({ assertionResults }) => assertionResults);
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + broken.length,
    skipped: result.numPendingTests + result.numTodoTests,
    failures: [
      ...tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
      ...broken.map(({ name }) => name),
    ],
  };
}

/** A file that failed before its first test. */
function brokenFile({ status, assertionResults }: VitestResult['testResults'][number]): boolean {
  return status === 'failed' && assertionResults.length === 0;
}

/** The sums that JUnit's root element has, and the names of the tests with a failure. */
function junitCounts(text: string): Counts {
  const sum = (name: string) =>
    Number(new RegExp(`<testsuites [^>]*\\b${name}="(\\d+)"`).exec(text)?.[1] ?? Number.NaN);
  const [tests, failed, skipped] = [sum('tests'), sum('failures'), sum('skipped')];
  const failures = [...text.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<failure/g)].map(
    ([, name = '']) => name,
  );
  return { passed: tests - failed - skipped, failed, skipped, failures };
}

function report(all: readonly Outcome[]): void {
  console.log(styleText('bold', '\nRings'));
  console.table(
    Object.fromEntries(
      all.map(({ ring, passed, failed, skipped, seconds, leftOut }) => [
        label(ring),
        leftOut === undefined
          ? { passed, failed, skipped, seconds: Math.round(seconds) }
          : { 'left out': leftOut },
      ]),
    ),
  );
}

function label({ name, runtime }: Ring): string {
  return runtime === undefined ? name : `${name} (${runtime})`;
}

function run(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0;
}
