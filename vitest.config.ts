import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const names = ['unit', 'volume', 'soak', 'interop', 'hostile', 'e2e', 'image', 'cluster', 'browser'] as const;

/** The files that take longest. A suite whose longest file starts last ends with one worker at work. */
const longest = [
  'interop/languages',
  'interop/recipes',
  'hostile/long-json',
  'e2e/docs-pages',
  'e2e/kept-connections',
  'e2e/release',
  'e2e/long-requests',
  'e2e/rotation',
  'image/container',
  'image/image',
  'cluster/two-container-pod',
  // Waits for the next minute, when a CronJob starts.
  'cluster/inject',
  'browser/page',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      longest.some((name) => moduleId.endsWith(`/test/${name}.test.ts`));
    const { long = [], short = [] } = Object.groupBy(await super.sort(files), (file) =>
      isLong(file) ? 'long' : 'short',
    );
    return [...long, ...short];
  }
}

const suite = (name: (typeof names)[number], include: string[], options = {}) => ({
  extends: true as const,
  test: {
    name,
    include,
    // One suite after the other, in this order.
    sequence: { groupOrder: names.indexOf(name) },
    ...options,
  },
});
const onBinary = { globalSetup: 'test/support/build-binary.ts' };

/** One project for each test suite; test/suites.ts runs them all. */
export default defineConfig({
  test: {
    // What is polled happens at once, except on a busy machine.
    expect: { requireAssertions: true, poll: { timeout: 20_000 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The tests of most suites wait for other processes for longer than they compute.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      // Modules without state need not be loaded again for each file, which would take longer than the tests.
      suite(
        'unit',
        [
          'test/*.test.ts',
          'test/{api,audit,bytes,cli,config,formats,http,key-sets,ops,signing}/**/*.test.ts',
        ],
        { isolate: false, maxWorkers: 2 },
      ),
      // Some of these race against the clock of another process, so fewer run at once.
      suite('volume', ['test/secret-volume/*.test.ts'], { maxWorkers: 2 }),
      suite('soak', ['test/soak/*.test.ts'], onBinary),
      suite('interop', ['test/interop/*.test.ts'], {
        globalSetup: [onBinary.globalSetup, 'test/support/install-clients.ts'],
      }),
      suite('hostile', ['test/hostile/*.test.ts'], onBinary),
      suite('e2e', ['test/e2e/**/*.test.ts'], onBinary),
      suite('image', ['test/image/*.test.ts']),
      // One worker follows a hundred rotations, the other one takes the rest: more pods would wait for each other.
      suite('cluster', ['test/cluster/*.test.ts'], {
        maxWorkers: 2,
        testTimeout: 300_000,
        hookTimeout: 300_000,
      }),
      // One file starts and stops containers, and a browser fails its requests when the network of the machine changes.
      suite('browser', ['test/browser/*.test.ts'], {
        fileParallelism: false,
        globalSetup: 'test/browser/build-images.ts',
      }),
    ],
  },
});
