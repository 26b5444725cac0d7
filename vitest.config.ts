import { defineConfig } from 'vitest/config';

const ring = (name: string, include: string[]) => ({ extends: true as const, test: { name, include } });

/** One project for each ring that vitest runs; test/rings.ts runs them all. */
export default defineConfig({
  test: {
    expect: { requireAssertions: true },
    testTimeout: 20_000,
    hookTimeout: 20_000,
    projects: [
      ring('unit', ['test/*.test.ts', 'test/{cli,formats,http,keys}/*.test.ts']),
      ring('volume', ['test/secret-volume/*.test.ts']),
      ring('hostile', ['test/hostile/*.test.ts']),
      ring('e2e', ['test/e2e/*.test.ts']),
    ],
  },
});
