// Runs the examples' tests with `machine` made to leave out one part (drop.ts). No file on the disk changes.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const conditions = ['pawl-source', 'node', 'import', 'module', 'default']
const drop = fileURLToPath(new URL('drop.ts', import.meta.url))
const CALL = 'makeMachine(name, definition)'

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  plugins: [
    {
      name: 'drop-a-part',
      enforce: 'pre',
      transform(code, id) {
        if (!id.endsWith('/src/machine/machine.ts')) return undefined
        if (code.split(CALL).length !== 2) throw new Error(`${id} has not ${CALL} once: change what is replaced here`)
        return `import { dropFrom } from ${JSON.stringify(drop)}\n${code.replace(CALL, 'makeMachine(name, dropFrom(name, definition))')}`
      },
    },
  ],
  test: { include: ['examples/**/*.test.ts'], testTimeout: 10_000, pool: 'forks', maxWorkers: 1, reporters: ['dot'] },
})
