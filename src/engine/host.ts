// What the parts of an engine know of the engine: what it was given, and what it is told.
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { ServiceDefinition } from '../machine/definition.ts'
import type { Lifecycle } from '../observe/lifecycle.ts'
import type { Store } from '../store/store.ts'
import type { Item, Mailbox } from './mailbox.ts'
import type { Ownership } from './ownership.ts'
import type { Registry } from './registry.ts'
import type { RetentionSettings } from './retention.ts'
import type { StoreTime } from './time.ts'
import type { Watchers } from './watch.ts'
import type { Wheel } from './wheel.ts'

/** What an engine logs. */
export interface EngineLog {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly text: string
  readonly machine?: string
  readonly id?: string
  readonly error?: unknown
}

/** How an engine is made. Everything that asks for time, chance or the disk comes in here. */
export interface EngineOptions {
  readonly services: readonly ServiceDefinition[]
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly partitions?: number
  /** Default 10,000. */
  readonly leaseMs?: number
  /** Default 10,000. */
  readonly graceMs?: number
  readonly retention?: RetentionSettings
  readonly log?: (record: EngineLog) => void
  /** For tests: batches of that many items, a cache of that many bytes, everything by the inbox, the inbox read that often; chores (retention,
   *  a look at what is due) done that often where there is nothing to do, timers in memory that exact. */
  readonly tuning?: {
    readonly batchItems?: number
    readonly cacheBytes?: number
    readonly allRemote?: boolean
    readonly pollMs?: number
    readonly choreMs?: number
    readonly tickMs?: number
  }
}

/** What an engine says of itself. */
export interface EngineHealth {
  readonly ready: boolean
  readonly alive: boolean
  readonly store: 'ok' | 'read-only' | 'full' | 'unreachable'
  readonly problems: readonly string[]
}

/** The engine as its parts see it. */
export interface Host {
  readonly store: Store
  readonly registry: Registry
  readonly lifecycle: Lifecycle
  readonly watchers: Watchers
  readonly ownership: Ownership
  readonly mailbox: Mailbox
  readonly time: StoreTime
  readonly wheel: Wheel
  readonly clock: Clock
  readonly random: Random
  readonly leaseMs: number
  readonly graceMs: number
  /** It has stopped, or was broken. */
  readonly stopped: boolean
  post(item: Item): void
  log(record: EngineLog): void
  /** The state of the store, as the last call to it showed. */
  onStore(state: EngineHealth['store'], error: unknown): void
  /** Nothing that this process believes can be trusted any more. */
  onBroken(error: unknown): void
}
