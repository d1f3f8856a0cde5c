// Attempts of calls: started after the commit that opened them, never before (I5); what they answer comes back as an input.
//
//   open call ──(nextAt, its turn)──▶ running ──answer──▶ result input
//                                       │──timeout, silence──▶ result input `unknown`; it is aborted, and may still answer
//                                       └──its call is not open any more──▶ aborted; it lingers until it settles
//
// A1  Of one call at most one attempt that counts runs in this worker.
// A2  Every attempt has the key of its call.
// A3  A call of an instance whose older attempt lingers starts only when that has settled, or after the grace.
import type { Clock } from '../base/clock.ts'
import { freezeJson } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { CallRecord, Instance, ResultInput } from '../core/model.ts'
import { activityOfCall } from '../core/result.ts'
import type { ActivityBody, ActivityDefinition, MachineDefinition } from '../machine/definition.ts'
import { Attempt, runBody } from './attempt.ts'
import type { AttemptOf } from './attempt-of.ts'
import type { Limits } from './limits.ts'
import { takeOverOf } from './recovery.ts'
import type { Alarm, Wheel } from './wheel.ts'

/** What attempts need, and whom they tell. */
export interface AttemptPorts {
  readonly clock: Clock
  readonly random: Random
  readonly wheel: Wheel
  readonly limits: Limits
  readonly graceMs: number
  readonly body: (activity: ActivityDefinition) => ActivityBody | undefined
  /** The store's clock, as last known. */
  readonly storeNow: () => number
  /** Whether enough of the lease is left to start an attempt; else it is asked again soon. */
  readonly mayStart: () => boolean
  readonly session: () => string
  /** `ms`: how long an attempt took that has ended with this. */
  readonly result: (of: AttemptOf, input: ResultInput, ms: number | undefined) => void
  readonly onStarted: (of: AttemptOf) => void
}

const PROGRESS_MS = 5_000
const LEASE_LOOK_MS = 100

/** More keys than that are looked for in a Set. */
const FEW = 4

type Calls = Readonly<Record<string, CallRecord>>

const openKeys = (calls: Calls): readonly string[] =>
  Object.values(calls).flatMap(({ key, settled }) => (settled === undefined ? [key] : []))

function isOpen(calls: Calls | null, key: string): boolean {
  for (const name in calls) if (calls[name]!.key === key) return calls[name]!.settled === undefined
  return false
}

interface Running {
  readonly of: AttemptOf
  readonly view: Attempt
  readonly activity: ActivityDefinition
  /** Resolves when the body has settled, however late. */
  readonly settled: Promise<void>
}

interface Planned {
  readonly of: AttemptOf
  alarm: Alarm | undefined
  cancelled: boolean
}

/** The attempts of one worker. */
export class Attempts {
  readonly #ports: AttemptPorts
  /** Those that count, by key. */
  readonly #running = new Map<string, Running>()
  /** Keys whose attempt (by number) has answered, until a commit has booked that: nothing is started for them meanwhile. */
  readonly #answers = new Map<string, number>()
  /** Keys that wait for their time or their turn. */
  readonly #planned = new Map<string, Planned>()
  /** By box: keys that run or are planned. */
  readonly #byBox = new Map<string, Set<string>>()
  /** Bodies that were given up and have not settled yet, by box; for no longer than the grace. */
  readonly #lingering = new Map<string, Set<{ readonly key: string; readonly over: Promise<void> }>>()
  #stopped = false

  constructor(ports: AttemptPorts) {
    this.#ports = ports
  }

  get running(): number {
    return this.#running.size
  }

  /** What an instance calls now, after a commit: starts what is open, aborts what is not. */
  sync(box: string, instance: Instance | null, definition: MachineDefinition): void {
    const calls = instance?.status === 'live' ? instance.calls : null
    const have = this.#byBox.get(box)
    if (have !== undefined) {
      const open = have.size > FEW && calls !== null ? new Set(openKeys(calls)) : undefined
      for (const key of have)
        if (!(open === undefined ? isOpen(calls, key) : open.has(key)))
          this.#drop(box, key, 'its call is settled, or its state was left')
    }
    if (instance === null) return
    for (const name in calls) {
      const call = calls[name]!
      if (call.settled !== undefined) continue
      if (have?.has(call.key) === true && !this.#booked(box, call.key, call)) continue
      if (this.#stopped) this.#release(box, instance, name, call)
      else if (!this.#takesOver(box, instance, name, call)) this.#plan(box, instance, definition, name, call)
    }
  }

  /** True: it was opened elsewhere, and that this worker goes on with it must be durable first; a commit brings it back here. */
  #takesOver(box: string, instance: Instance, name: string, call: CallRecord): boolean {
    const outcome = takeOverOf(call, this.#ports.session(), this.#ports.storeNow())
    if (outcome !== undefined) this.#tell(attemptOf(box, instance, name, call), outcome)
    return outcome !== undefined
  }

  /** Opened, or to be tried again, while the worker stops: whoever goes on need not think that it was running. */
  #release(box: string, instance: Instance, name: string, call: CallRecord): void {
    if (call.runner === undefined) return
    this.#keysOf(box).add(call.key)
    this.#tell(attemptOf(box, instance, name, call), { kind: 'released' })
  }

  /** A call stands open again after an attempt that has answered. */
  #booked(box: string, key: string, call: CallRecord): boolean {
    const attempt = this.#answers.get(key)
    if (attempt === undefined || call.attempts < attempt) return false
    this.#forget(box, key)
    return true
  }

  #plan(box: string, instance: Instance, definition: MachineDefinition, name: string, call: CallRecord): void {
    const activity = activityOfCall(definition.states.get(instance.state), call) ?? this.#elsewhere(definition, call)
    const of = attemptOf(box, instance, name, call)
    const planned: Planned = { of, alarm: undefined, cancelled: false }
    this.#planned.set(call.key, planned)
    this.#keysOf(box).add(call.key)
    if (activity === undefined) return // this build has no such activity any more: a migration or an operator decides
    const start = (): void => this.#whenFree(box, planned, () => this.#enter(of, planned, activity, call))
    const waitMs = call.nextAt === undefined ? 0 : call.nextAt - this.#ports.storeNow()
    if (waitMs > 0) planned.alarm = this.#ports.wheel.set(waitMs, start)
    else start()
  }

  /** A call that a migration kept belongs to a state that may be gone. */
  #elsewhere(definition: MachineDefinition, call: CallRecord): ActivityDefinition | undefined {
    for (const state of definition.states.values()) {
      const found = activityOfCall(state, call)
      if (found !== undefined) return found
    }
    return undefined
  }

  #keysOf(box: string): Set<string> {
    let keys = this.#byBox.get(box)
    if (keys === undefined) {
      keys = new Set()
      this.#byBox.set(box, keys)
    }
    return keys
  }

  /** A3: waits for bodies of the same instance that were given up, at most the grace. */
  #whenFree(box: string, planned: Planned, start: () => void): void {
    // A retry need not wait for an attempt of its own call that was given up: both have one key.
    const others = [...(this.#lingering.get(box) ?? [])].filter(({ key }) => key !== planned.of.key)
    if (others.length === 0) start()
    else
      void Promise.all(others.map(({ over }) => over)).then(() => {
        if (!planned.cancelled) start()
      })
  }

  #enter(of: AttemptOf, planned: Planned, activity: ActivityDefinition, call: CallRecord): void {
    if (planned.cancelled || this.#stopped) return
    if (!this.#ports.mayStart()) {
      planned.alarm = this.#ports.wheel.set(LEASE_LOOK_MS, () => this.#enter(of, planned, activity, call))
      return
    }
    this.#ports.limits.enter(activity, () => {
      if (planned.cancelled || this.#stopped) this.#ports.limits.leave(activity)
      else this.#start(of, activity, call)
    })
  }

  #start(of: AttemptOf, activity: ActivityDefinition, call: CallRecord): void {
    const { clock, wheel, body, onStarted } = this.#ports
    this.#planned.delete(of.key)
    const view = new Attempt(of, call.progress, clock.monotonic())
    view.timeout = wheel.set(activity.timeoutMs, () => this.#lost(running, `no answer within ${activity.timeoutMs} ms`))
    view.heartbeat = (progress) => this.#heartbeat(running, progress)
    onStarted(of)
    const settled = runBody(body(activity), call.input, view).then((outcome) => {
      this.#ports.limits.leave(activity)
      this.#answered(running, outcome)
    })
    const running: Running = { of, view, activity, settled }
    this.#running.set(of.key, running)
    if (activity.heartbeatMs !== undefined) this.#listen(running, activity.heartbeatMs)
  }

  /** The body has settled. An attempt that was told as lost already counts only where it succeeded. */
  #answered(running: Running, outcome: ResultInput['outcome']): void {
    const { view, activity } = running
    this.#silence(view)
    const undeclared = outcome.kind === 'failure' && !activity.failures.includes(outcome.code)
    const told: ResultInput['outcome'] = undeclared
      ? {
          kind: 'unknown',
          message: `it failed with "${outcome.code}", which is not among its declared failures: ${outcome.message}`,
        }
      : outcome
    if (view.over && told.kind !== 'done') return
    this.#close(running)
    this.#end(running, told)
  }

  /** Nobody waits for this attempt any more: its call is tried again, and what it answers still counts if it is a success. */
  #lost(running: Running, why: string): void {
    const { view } = running
    if (view.over) return
    this.#silence(view)
    view.over = true
    this.#close(running)
    this.#end(running, { kind: 'unknown', message: why })
    this.#linger(running.of.box, running, why)
  }

  /** It has answered; its key stays taken until that is booked. */
  #close({ of }: Running): void {
    if (this.#running.get(of.key)?.of !== of) return
    this.#running.delete(of.key)
    this.#answers.set(of.key, of.attempt)
  }

  #end(running: Running, outcome: ResultInput['outcome']): void {
    const { of, view } = running
    this.#tell(of, outcome, this.#ports.clock.monotonic() - view.startedAt)
  }

  #tell(of: AttemptOf, outcome: ResultInput['outcome'], ms?: number): void {
    const { call, key, attempt } = of
    const at = this.#ports.storeNow()
    const jitter = this.#ports.random.next()
    this.#ports.result(
      of,
      { kind: 'result', id: key, at, correlation: '', stamp: 0, call, key, attempt, outcome, jitter },
      ms,
    )
  }

  #listen(running: Running, ms: number): void {
    this.#ports.wheel.cancel(running.view.silence)
    running.view.silence = this.#ports.wheel.set(ms, () => this.#lost(running, `no heartbeat within ${ms} ms`))
  }

  #heartbeat(running: Running, progress: unknown): void {
    const { view, activity, of } = running
    if (view.over) return
    if (activity.heartbeatMs !== undefined) this.#listen(running, activity.heartbeatMs)
    const now = this.#ports.clock.monotonic()
    if (progress === undefined || now - view.progressAt < PROGRESS_MS) return
    const kept = freezeJson(progress, 'the progress')
    view.progressAt = now
    this.#tell(of, { kind: 'progress', progress: kept })
  }

  #silence(view: Attempt): void {
    this.#ports.wheel.cancel(view.timeout)
    this.#ports.wheel.cancel(view.silence)
  }

  #forget(box: string, key: string): void {
    this.#running.delete(key)
    this.#planned.delete(key)
    this.#answers.delete(key)
    const keys = this.#byBox.get(box)
    keys?.delete(key)
    if (keys?.size === 0) this.#byBox.delete(box)
  }

  /** Gives up what is planned or runs under a key. */
  #drop(box: string, key: string, why: string): void {
    const planned = this.#planned.get(key)
    if (planned !== undefined) {
      planned.cancelled = true
      this.#ports.wheel.cancel(planned.alarm)
    }
    const running = this.#running.get(key)
    if (running !== undefined) this.#linger(box, running, why)
    this.#forget(box, key)
  }

  #linger(box: string, running: Running, why: string): void {
    running.view.abort(why)
    if (running.activity.interruptible) return
    const { wheel, graceMs } = this.#ports
    const over = new Promise<void>((resolve) => {
      const alarm = wheel.set(graceMs, resolve)
      void running.settled.then(() => {
        wheel.cancel(alarm)
        resolve()
      })
    })
    const lingering = this.#lingering.get(box) ?? new Set()
    const one = { key: running.of.key, over }
    lingering.add(one)
    this.#lingering.set(box, lingering)
    void over.then(() => {
      lingering.delete(one)
      if (lingering.size === 0) this.#lingering.delete(box)
    })
  }

  /** The lease is lost, or the partition was given away: signals abort; late results are offered by inbox. */
  abandon(lost: (box: string) => boolean, why: string): void {
    for (const [box, keys] of this.#byBox) if (lost(box)) for (const key of new Set(keys)) this.#drop(box, key, why)
  }

  /** Starts nothing new; waits for what runs, at most `graceMs`; then aborts it. Answers what still had not settled. */
  async stop(graceMs: number): Promise<readonly AttemptOf[]> {
    this.#stopped = true
    for (const planned of this.#planned.values()) {
      planned.cancelled = true
      this.#ports.wheel.cancel(planned.alarm)
      this.#tell(planned.of, { kind: 'released' })
    }
    const all = Promise.all([...this.#running.values()].map(({ settled }) => settled))
    if (this.#running.size > 0 && graceMs > 0)
      await new Promise<void>((resolve) => {
        const alarm = this.#ports.wheel.set(graceMs, resolve)
        void all.then(() => {
          this.#ports.wheel.cancel(alarm)
          resolve()
        })
      })
    const left = [...this.#running.values()]
    for (const running of left) {
      const { view, of } = running
      this.#silence(view)
      view.over = true
      this.#close(running)
      this.#tell(of, { kind: 'released', ran: true })
      view.abort('the worker stops')
    }
    return left.map(({ of }) => of)
  }
}

const attemptOf = (box: string, { machine, id, seq }: Instance, name: string, call: CallRecord): AttemptOf => ({
  box,
  machine,
  id,
  seq,
  call: name,
  key: call.key,
  activity: call.activity,
  attempt: call.attempts + 1,
})
