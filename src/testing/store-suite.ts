// The contract of a store as tests: every implementation of src/store/store.ts passes them, Pawl's own and yours.
import { equal } from 'node:assert/strict'
import type { Store } from '../store/store.ts'
import { commitCases } from './store/commit-cases.ts'
import { lifeCases } from './store/life-cases.ts'
import { listCases } from './store/list-cases.ts'
import { logCases } from './store/log-cases.ts'
import { retentionCases } from './store/retention-cases.ts'
import { transactionCases } from './store/transaction-cases.ts'
import { waitingCases } from './store/waiting-cases.ts'
import { changeOf, LEASE_MS, PARTITIONS, type StoreCase, type StoreFixture, type StoreTest } from './store/fixture.ts'

export type { StoreFixture } from './store/fixture.ts'

/** A store that is to be tested, and the test runner. */
export interface StoreSuiteOptions {
  readonly name: string
  /** Makes an empty place; called once for every case. */
  make(): Promise<StoreFixture>
  /** What the stores of `make` have; cases that need more are not run. */
  readonly features: Store['features']
  /** The rows outlive their connection. */
  readonly durable: boolean
  /** Of vitest, node:test, jest, mocha. */
  readonly describe: (name: string, cases: () => void) => unknown
  readonly test: (name: string, run: () => Promise<void>) => unknown
}

const cases: readonly StoreTest[] = [
  ...commitCases,
  ...waitingCases,
  ...listCases,
  ...logCases,
  ...lifeCases,
  ...retentionCases,
  ...transactionCases,
]

/** Declares one test for every promise of the port. */
export function storeSuite(o: StoreSuiteOptions): void {
  const has = { ...o.features, durable: o.durable }
  o.describe(`store: ${o.name}`, () => {
    for (const { title, needs = [], run } of cases)
      if (needs.every((need) => has[need])) o.test(title, () => runCase(o, run))
  })
}

async function runCase(o: StoreSuiteOptions, run: StoreTest['run']): Promise<void> {
  const fixture = await o.make()
  const store = fixture.connect()
  try {
    await store.open({ partitions: PARTITIONS })
    const { session } = await store.openSession({ build: 'b', leaseMs: LEASE_MS })
    equal((await store.acquire(session, PARTITIONS)).length, PARTITIONS)
    await run(caseOf(fixture, store, session))
  } finally {
    await store.close()
    await fixture.end()
  }
}

function caseOf(fixture: StoreFixture, store: Store, session: string): StoreCase {
  // Cases that number their own commits begin at 1.
  let n = 1_000
  const commit: StoreCase['commit'] = (change) => store.commit(session, ++n, changeOf(change))
  return {
    fixture,
    store,
    session,
    commit,
    async write(change) {
      const result = await commit(change)
      if (result.kind !== 'applied')
        throw new Error(`the commit was ${result.kind}`, { cause: 'error' in result ? result.error : undefined })
      return result.inbox
    },
  }
}
