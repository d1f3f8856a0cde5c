import { defineConfig } from 'vitest/config'

// `pawl-source` makes `import … from 'pawl'` mean src/, so that tests need no build.
const conditions = ['pawl-source', 'node', 'import', 'module', 'default']
const resolve = { conditions }

/** One project a folder, so that `npx vitest run --project unit` runs the quick ones alone. */
const project = (name: string, testTimeoutMs: number, include = [`test/${name}/**/*.test.ts`]) => ({
  resolve,
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    name,
    include,
    pool: 'forks' as const,
    testTimeout: testTimeoutMs,
    hookTimeout: testTimeoutMs,
    // Forks take their own conditions: a test that starts `node` again inherits nothing of vite's.
    execArgv: ['--conditions=pawl-source'],
  },
})

export default defineConfig({
  test: {
    projects: [
      project('repository', 20_000, ['test/*.test.ts']),
      project('unit', 10_000),
      project('types', 60_000),
      project('contract', 30_000),
      project('simulation', 120_000, ['test/simulation/**/*.test.ts', 'test/mutants/**/*.test.ts']),
      project('crash', 120_000),
      project('e2e', 60_000),
      project('examples', 30_000, ['examples/**/*.test.ts']),
    ],
    passWithNoTests: true,
    reporters: ['default'],
  },
})
