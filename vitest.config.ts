import { defineConfig } from 'vitest/config';

const ring = (name: string, include: string[], options = {}) => ({
  extends: true as const,
  test: { name, include, ...options },
});

/** One project for each ring that vitest runs; test/rings.ts runs them all. */
export default defineConfig({
  test: {
    expect: { requireAssertions: true },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      // Modules without state need not be loaded anew for each file, which would take longer than the tests.
      ring(
        'unit',
        ['test/*.test.ts', 'test/{api,bytes,cli,config,formats,http,key-sets,ops,signing}/*.test.ts'],
        { isolate: false },
      ),
      ring('volume', ['test/secret-volume/*.test.ts']),
      ring('soak', ['test/soak/*.test.ts']),
      ring('interop', ['test/interop/*.test.ts']),
      ring('hostile', ['test/hostile/*.test.ts']),
      ring('e2e', ['test/e2e/**/*.test.ts']),
      ring('image', ['test/image/*.test.ts']),
      // The pods of several files at once would only wait for each other.
      ring('cluster', ['test/cluster/*.test.ts'], {
        fileParallelism: false,
        testTimeout: 300_000,
        hookTimeout: 300_000,
      }),
      // Its files build the same images.
      ring('browser', ['test/browser/*.test.ts'], { fileParallelism: false }),
    ],
  },
});
