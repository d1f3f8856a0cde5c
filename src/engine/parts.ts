// How the parts of a worker are tied together. Composition alone: what each part promises stands in its own file.
import { backoffMs } from '../base/backoff.ts'
import { isPawlError } from '../base/errors.ts'
import { incarnation, uuidv7 } from '../base/id.ts'
import type { Input, ResultInput } from '../core/model.ts'
import type { Target } from '../store/store.ts'
import type { AttemptOf } from './attempt-of.ts'
import { Attempts } from './attempts.ts'
import { Booker } from './book.ts'
import { Cache } from './cache.ts'
import { Committer } from './commit.ts'
import { Due } from './due.ts'
import { expire } from './expire.ts'
import { giveAway, handOn } from './handover.ts'
import type { EngineHealth, EngineOptions, Host } from './host.ts'
import { Inbox } from './inbox.ts'
import { Lane } from './lane.ts'
import { Ledger } from './ledger.ts'
import { Limits } from './limits.ts'
import { Numbers } from './numbers.ts'
import { Publisher } from './publish.ts'
import { recover } from './recovery.ts'
import { release } from './release.ts'
import { Retention } from './retention.ts'
import { Router } from './route.ts'
import { Sessions } from './sessions.ts'
import { Step } from './step.ts'
import { attemptEnded, attemptStarted } from './tell.ts'
import { unwritable } from './unwritable.ts'
import type { Booked, Item, Mailbox } from './mailbox.ts'
import type { Clock } from '../base/clock.ts'

const DEFAULTS = {
  graceMs: 10_000,
  cacheBytes: 64 * 1024 * 1024,
  items: 1_000,
  pollMs: 100,
  receiptsMs: 7 * 86_400_000,
}
/** When a read that failed is tried again. */
const READ_AGAIN = { firstMs: 20, factor: 2, maxMs: 1_000 }
/** More than this in the boxes: background work waits. */
const ROOM = 2_000

/** The parts of a started engine. */
export class Parts {
  readonly partitions: number
  readonly router: Router
  readonly cache: Cache
  readonly attempts: Attempts
  readonly due: Due
  readonly sessions: Sessions
  readonly lane: Lane
  readonly inbox: Inbox
  readonly retention: Retention
  readonly committer: Committer
  readonly #host: Host
  readonly #places: Numbers

  constructor(host: Host, options: EngineOptions, partitions: number) {
    const { store, clock, random, registry, ownership, mailbox, time } = host
    const { tuning = {} } = options
    this.#host = host
    this.#places = new Numbers(store, 'waiting', 1_000)
    this.partitions = partitions
    this.cache = new Cache(tuning.cacheBytes ?? DEFAULTS.cacheBytes)
    this.router = new Router(registry, ownership, mailbox, partitions, { allRemote: tuning.allRemote ?? false })
    this.committer = new Committer({
      store,
      clock,
      random,
      session: () => this.sessions.id,
      onStore: (state, error) => host.onStore(state, error),
      stopped: () => host.stopped,
    })
    this.inbox = new Inbox({
      store,
      clock,
      ownership,
      router: this.router,
      post: (item) => host.post(item),
      lane: (work) => this.lane.between(work),
      pollMs: tuning.pollMs ?? DEFAULTS.pollMs,
      onError: this.#warn,
    })
    this.attempts = this.#makeAttempts()
    this.due = this.#makeDue(tuning.choreMs)
    this.lane = new Lane(clock, mailbox, this.#makeStep(tuning.batchItems ?? DEFAULTS.items), (error) =>
      host.onBroken(error),
    )
    this.sessions = this.#makeSessions()
    this.retention = new Retention({
      store,
      clock,
      storeNow: () => time.now(),
      session: () => this.sessions.id,
      settings: options.retention ?? { receiptsMs: DEFAULTS.receiptsMs },
      quietMs: tuning.choreMs,
      lane: (work) => this.lane.between(work),
      onError: this.#warn,
    })
  }

  /** An error of a call to the store that is no commit. One after which nothing can be trusted ends this worker, whoever met it. */
  readonly #warn = (text: string, error: unknown): void => {
    if (isPawlError(error, 'STORE_CORRUPT')) this.#host.onBroken(error)
    else this.#host.log({ level: 'warn', text, error })
  }

  #makeAttempts(): Attempts {
    const { clock, random, wheel, registry, lifecycle, time, graceMs } = this.#host
    return new Attempts({
      clock,
      random,
      wheel,
      graceMs,
      limits: new Limits(clock, wheel),
      storeNow: () => time.now(),
      body: (activity) => registry.body(activity),
      mayStart: () => this.sessions.mayStart(),
      session: () => this.sessions.id,
      result: (of, input, ms) => this.#result(of, input, ms),
      onStarted: (of) => attemptStarted(lifecycle, time.now(), of),
      warn: (text, { machine, id }) => this.#host.log({ level: 'warn', text, machine, id }),
    })
  }

  /** What an attempt answered goes to its instance; where that is not ours any more it is offered by the inbox. */
  #result(of: AttemptOf, input: ResultInput, ms: number | undefined): void {
    const { clock, ownership, store, lifecycle, time } = this.#host
    const booked = (as: Booked): void => {
      this.attempts.booked(of)
      if (ms !== undefined && lifecycle.heard) attemptEnded(lifecycle, time.now(), of, ms, input.outcome, as)
    }
    const item = this.router.item({ machine: of.machine, id: of.id }, input, {
      since: clock.monotonic(),
      counted: true,
      ...(ms !== undefined && { booked }),
    })
    // Ours, though its inbox could not be read yet: nobody else would look after the call.
    if (ownership.has(item.partition)) this.#host.post(item)
    else
      void store
        .append([this.router.row(item)], {})
        .catch((error: unknown) => this.#warn(`a result of ${of.activity} could not be offered to its owner`, error))
  }

  #wake(target: Target, input: Input): void {
    this.#host.post(this.router.item(target, input, { since: this.#host.clock.monotonic(), counted: true }))
  }

  #makeDue(lookMs: number | undefined): Due {
    const { store, clock, wheel, ownership, time } = this.#host
    return new Due({
      lookMs,
      store,
      clock,
      wheel,
      ownership,
      storeNow: () => time.now(),
      hear: () => this.#hear(),
      onError: (error) => this.#warn('due timers could not be read', error),
      wake: (target, input) => this.#wake(target, input),
      expire: (limit) =>
        expire(
          { host: this.#host, committer: this.committer, lane: this.lane, cache: this.cache, inbox: this.inbox },
          limit,
        ),
    })
  }

  #makeStep(items: number): Step {
    const host = this.#host
    const { store, clock, random, registry, mailbox, ownership, time, watchers, lifecycle, leaseMs } = host
    const { cache, router, committer, inbox, attempts, due } = this
    const [ks, places] = [new Numbers(store, 'k', 4_000), this.#places]
    const read = (rows: readonly number[]): void => inbox.read(rows)
    const placeOfWaiting = async (): Promise<number> => {
      await places.ensure(1)
      return places.next()
    }
    const ids = { now: () => time.now() }
    const ledger = new Ledger(() => uuidv7(ids, random))
    const publisher = new Publisher({ registry, ownership, router, ledger })
    const booker = new Booker({ router, ledger, publisher, placeOfWaiting: () => places.next() })
    return new Step(
      {
        store,
        clock,
        registry,
        mailbox,
        cache,
        ownership,
        router,
        booker,
        publisher,
        committer,
        ks,
        places,
        session: () => this.sessions.id,
        newIncarnation: () => incarnation(ids, random),
        now: async () => {
          await this.#hear()
          return time.now()
        },
        stones: () => true,
        strays: (items) => this.#strays(items),
        wrote: (n, partition) => inbox.wrote(n, partition),
        release: (batch, ms) => release({ cache, attempts, due, watchers, lifecycle, read }, batch, ms),
        onRead: (error, failures) => this.#unreadable(error, failures),
        fenced: () => this.#fenced(),
        broken: (error) => host.onBroken(error),
        wake: () => this.lane.wake(),
        unwritable: (item, error) => unwritable({ host, committer, cache, placeOfWaiting, read }, item, error),
      },
      { transitions: 1_000, bytes: 1024 * 1024, ms: 25, items, leaseMs },
    )
  }

  /** The time of a store that several share comes with each renewal; an embedded one is asked. */
  async #hear(): Promise<void> {
    const { store, time } = this.#host
    if (!store.features.sessions) time.heard(await store.now())
  }

  /** A wake-up among them is nobody's any more: were it still held for woken, its timer would never fire when the partition comes back. */
  #strays(items: readonly Item[]): Promise<void> {
    for (const { box } of items) this.due.lost(box)
    return handOn(this.#host, this.router, items)
  }

  async #unreadable(error: unknown, failures: number): Promise<void> {
    const { clock, random } = this.#host
    // The disk has failed: a try again would wait for ever, and nobody would start this worker anew.
    if (isPawlError(error, 'STORE_CORRUPT')) return this.#host.onBroken(error)
    this.#host.onStore(stateAfter(error), error)
    await new Promise<void>((resolve) => void clock.after(backoffMs(READ_AGAIN, failures, random), resolve))
  }

  #makeSessions(): Sessions {
    const { store, clock, ownership, time, registry, leaseMs } = this.#host
    return new Sessions({
      store,
      clock,
      ownership,
      time,
      leaseMs,
      build: registry.build,
      partitions: this.partitions,
      onError: this.#warn,
      lane: (work) => this.lane.between(work),
      onAcquired: (fresh) => this.#acquired(fresh),
      onLost: (partitions) => this.#giveAway(partitions),
      onFenced: async () => {
        this.committer.restart()
        await this.#giveAway(ownership.all)
      },
    })
  }

  /** Where no new session can be opened now, the next renewal tries again. */
  async #fenced(): Promise<void> {
    try {
      await this.sessions.fenced(this.sessions.id)
    } catch (error) {
      this.#warn('a new session could not be opened', error)
    }
  }

  async #acquired(fresh: readonly number[]): Promise<void> {
    const { store, random, time, lifecycle, mailbox, clock } = this.#host
    // The owner before may have given places above those that are left here: what waits longer would stand behind.
    this.#places.renew()
    await this.inbox.drain(fresh)
    if (lifecycle.heard)
      for (const partition of fresh) lifecycle.tell(time.now(), { kind: 'partition-acquired', partition })
    this.due.look()
    const storeNow = (): number => time.now()
    const post = (target: Target, input: ResultInput | undefined): void =>
      this.#wake(target, input ?? { kind: 'timer', id: 'recovered', at: storeNow(), correlation: '', stamp: 0 })
    const ports = {
      store,
      clock,
      storeNow,
      post,
      session: () => this.sessions.id,
      jitter: () => random.next(),
      room: () => room(mailbox, clock),
      stopped: () => this.#host.stopped,
      onError: this.#warn,
    }
    void recover(ports, fresh)
  }

  #giveAway(partitions: readonly number[]): Promise<void> {
    const { attempts, cache, inbox, router, due } = this
    return giveAway({ host: this.#host, due, attempts, cache, inbox, router }, partitions)
  }
}

/** What a call that failed says of the store. Numbers of instances are asked for between reads, and are written. */
function stateAfter(error: unknown): Exclude<EngineHealth['store'], 'ok'> {
  if (isPawlError(error, 'STORE_FULL')) return 'full'
  return isPawlError(error, 'STORE_READ_ONLY') ? 'read-only' : 'unreachable'
}

/** Resolves when the boxes have room for background work. */
async function room(mailbox: Mailbox, clock: Clock): Promise<void> {
  while (mailbox.size > ROOM) await new Promise<void>((resolve) => void clock.after(10, resolve))
}
