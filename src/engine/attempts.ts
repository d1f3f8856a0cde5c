// Attempts of calls: started after the commit that opened them, never before (I5); what they answer comes back as an input.
//
//   open call ──(nextAt, its turn)──▶ running ──answer──▶ result input
//                                       │──timeout, silence──▶ result input `unknown`; it is aborted, and may still answer
//                                       └──its call is not open any more──▶ aborted, and given up (given-up.ts)
//
// A1  Of one call at most one attempt that counts runs in this worker.
// A2  Every attempt has the key of its call.
// A3  A call of an instance whose older attempt was given up starts only when that has settled, or after the grace.
import type { Clock } from '../base/clock.ts'
import { errorText, isPawlError, PawlError } from '../base/errors.ts'
import { freezeJson } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import { checkSize } from '../base/size.ts'
import { hasEnded, type CallRecord, type Instance, type ResultInput } from '../core/model.ts'
import { activityKept } from '../core/result.ts'
import type { ActivityBody, ActivityDefinition, MachineDefinition } from '../machine/definition.ts'
import { Attempt, runBody } from './attempt.ts'
import type { AttemptOf } from './attempt-of.ts'
import { GivenUp } from './given-up.ts'
import type { Limits } from './limits.ts'
import { takeOverOf } from './recovery.ts'
import type { Standing } from './turns.ts'
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
  readonly warn: (text: string, of: AttemptOf) => void
}

/** Of a body that has not come to its first wait. */
const STARTING = Promise.resolve()
const PROGRESS_MS = 5_000
const LEASE_LOOK_MS = 100

/** More calls than that are looked for in a Set. */
const FEW = 4

type Calls = Readonly<Record<string, CallRecord>>

/** A key of the user's may be that of other calls too, here or of another instance: it tells no calls apart. */
const refOf = (box: string, name: string, { entry, key }: CallRecord): string =>
  `${box}\0${entry ?? ''}\0${name}\0${key}`

interface Open {
  readonly ref: string
  readonly name: string
  readonly call: CallRecord
}

function openOf(box: string, calls: Calls | null): readonly Open[] {
  const open: Open[] = []
  for (const name in calls) {
    const call = calls[name]!
    if (call.settled === undefined) open.push({ ref: refOf(box, name, call), name, call })
  }
  return open
}

/** A copy: the body may go on with its own. Throws NOT_JSON into the body, whose fault it is. */
function progressOf(progress: unknown, { activity }: AttemptOf): unknown {
  try {
    return checkSize(freezeJson(progress, 'the progress'), 'the progress')
  } catch (error) {
    const why = `heartbeat() of activity "${activity}" keeps its progress as JSON: ${errorText(error)}`
    throw new PawlError(isPawlError(error, 'TOO_LARGE') ? 'TOO_LARGE' : 'NOT_JSON', why, { cause: error })
  }
}

interface Running {
  readonly of: AttemptOf
  readonly view: Attempt
  readonly activity: ActivityDefinition
  /** Resolves when the body has settled, however late. */
  settled: Promise<void>
  /** Gives its place at a limit back, once. */
  readonly leave: () => void
}

interface Planned extends Standing {
  readonly of: AttemptOf
  alarm: Alarm | undefined
  cancelled: boolean
}

/** The attempts of one worker. */
export class Attempts {
  readonly #ports: AttemptPorts
  /** Those that count, by call. */
  readonly #running = new Map<string, Running>()
  /** Calls whose attempt (by number) has answered, until a commit has booked that: nothing is started for them meanwhile. */
  readonly #answers = new Map<string, number>()
  /** Calls that wait for their time or their turn. */
  readonly #planned = new Map<string, Planned>()
  /** By box: calls that run, are planned, or have an answer that is not booked. */
  readonly #byBox = new Map<string, Set<string>>()
  readonly #givenUp: GivenUp
  #stopped = false

  constructor(ports: AttemptPorts) {
    this.#ports = ports
    this.#givenUp = new GivenUp(ports)
  }

  get running(): number {
    return this.#running.size
  }

  /** Bodies that do not settle, in words, for the health. */
  get problems(): readonly string[] {
    return this.#givenUp.problems
  }

  /** What an instance calls now, after a commit: starts what is open, aborts what is not. In one that has stalled nothing starts,
   *  and what runs goes on: nobody has decided about its call. */
  sync(box: string, instance: Instance | null, definition: MachineDefinition): void {
    const open = openOf(box, instance === null || hasEnded(instance.status) ? null : instance.calls)
    const have = this.#byBox.get(box)
    if (have !== undefined) {
      const refs = have.size > FEW ? new Set(open.map(({ ref }) => ref)) : undefined
      for (const one of have)
        if (!(refs === undefined ? open.some(({ ref }) => ref === one) : refs.has(one)))
          this.#drop(box, one, 'its call is settled, or its state was left')
    }
    if (instance === null) return
    for (const { ref, name, call } of open) {
      const taken = have?.has(ref) === true && !this.#bookedBy(box, ref, call)
      if (instance.status === 'stalled' && this.#planned.has(ref)) this.#drop(box, ref, 'its instance has stalled')
      if (taken || instance.status === 'stalled') continue
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
    const of = attemptOf(box, instance, name, call)
    this.#refsOf(box).add(of.ref)
    this.#tell(of, { kind: 'released' })
  }

  /** What an attempt answered is committed: its call, if it still stands open, may be tried again. */
  booked({ box, ref, attempt }: AttemptOf): void {
    if (this.#answers.get(ref) === attempt) this.#forget(box, ref)
  }

  /** The same, told by the call: an answer that its instance stalled on is booked by an operator's retry. */
  #bookedBy(box: string, ref: string, call: CallRecord): boolean {
    const attempt = this.#answers.get(ref)
    if (attempt === undefined || call.attempts === attempt - 1) return false
    this.#forget(box, ref)
    return true
  }

  #plan(box: string, instance: Instance, definition: MachineDefinition, name: string, call: CallRecord): void {
    const activity = activityKept(definition, definition.states.get(instance.state), call)
    const of = attemptOf(box, instance, name, call)
    const { priority, fairKey } = instance
    const planned: Planned = { of, priority, fair: fairKey ?? '', alarm: undefined, cancelled: false }
    this.#planned.set(of.ref, planned)
    this.#refsOf(box).add(of.ref)
    if (activity === undefined) return // gone from this build: the core stalls the instance with whatever comes next
    const start = (): void => this.#whenFree(planned, () => this.#enter(of, planned, activity, call))
    const waitMs = call.nextAt === undefined ? 0 : call.nextAt - this.#ports.storeNow()
    if (waitMs > 0) planned.alarm = this.#ports.wheel.set(waitMs, start)
    else start()
  }

  #refsOf(box: string): Set<string> {
    let refs = this.#byBox.get(box)
    if (refs === undefined) {
      refs = new Set()
      this.#byBox.set(box, refs)
    }
    return refs
  }

  /** A3: waits for bodies of the same instance that were given up, at most the grace. */
  #whenFree(planned: Planned, start: () => void): void {
    const free = this.#givenUp.wait(planned.of)
    if (free === undefined) start()
    else
      void free.then(() => {
        if (!planned.cancelled) start()
      })
  }

  #enter(of: AttemptOf, planned: Planned, activity: ActivityDefinition, call: CallRecord): void {
    if (planned.cancelled || this.#stopped) return
    const { limits, mayStart, wheel } = this.#ports
    // Asked when its turn has come, which may be long after it began to wait.
    limits.enter(activity, planned, () => {
      const may = mayStart()
      if (may) this.#start(of, activity, call)
      else planned.alarm = wheel.set(LEASE_LOOK_MS, () => this.#enter(of, planned, activity, call))
      return may
    })
  }

  #start(of: AttemptOf, activity: ActivityDefinition, call: CallRecord): void {
    const { clock, wheel, body, onStarted } = this.#ports
    this.#planned.delete(of.ref)
    const view = new Attempt(of, call.progress, clock.monotonic())
    view.timeout = wheel.set(activity.timeoutMs, () => this.#lost(running, `no answer within ${activity.timeoutMs} ms`))
    view.heartbeat = (progress) => this.#heartbeat(running, progress)
    onStarted(of)
    // The body may call `heartbeat` before it first waits: all that this needs is there before it starts.
    const running: Running = { of, view, activity, settled: STARTING, leave: this.#place(activity) }
    this.#running.set(of.ref, running)
    if (activity.heartbeatMs !== undefined) this.#listen(running, activity.heartbeatMs)
    running.settled = runBody(body(activity), call.input, view).then((outcome) => {
      running.leave()
      this.#answered(running, outcome)
    })
  }

  /** What gives a place at a limit back: when the body has settled, or before that where it does not. */
  #place(activity: ActivityDefinition): () => void {
    let taken = true
    return () => {
      if (taken) this.#ports.limits.leave(activity)
      taken = false
    }
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
    this.#giveUp(running, why)
  }

  /** It has answered; its call stays taken until that is booked. */
  #close({ of }: Running): void {
    if (this.#running.get(of.ref)?.of !== of) return
    this.#running.delete(of.ref)
    this.#answers.set(of.ref, of.attempt)
  }

  #end(running: Running, outcome: ResultInput['outcome']): void {
    const { of, view } = running
    this.#tell(of, outcome, this.#ports.clock.monotonic() - view.startedAt)
  }

  #tell(of: AttemptOf, outcome: ResultInput['outcome'], ms?: number): void {
    const { call, key, entry, attempt } = of
    const at = this.#ports.storeNow()
    const jitter = this.#ports.random.next()
    const base = { kind: 'result', id: key, at, correlation: '', stamp: 0 } as const
    this.#ports.result(of, { ...base, call, key, ...(entry !== undefined && { entry }), attempt, outcome, jitter }, ms)
  }

  #listen(running: Running, ms: number): void {
    this.#ports.wheel.cancel(running.view.silence)
    running.view.silence = this.#ports.wheel.set(ms, () => this.#lost(running, `no heartbeat within ${ms} ms`))
  }

  #heartbeat(running: Running, progress: unknown): void {
    const { view, activity, of } = running
    if (this.#running.get(of.ref) !== running) return // it has answered, or was given up
    if (activity.heartbeatMs !== undefined) this.#listen(running, activity.heartbeatMs)
    const now = this.#ports.clock.monotonic()
    if (progress === undefined || now - view.progressAt < PROGRESS_MS) return
    const kept = progressOf(progress, of)
    view.progressAt = now
    this.#tell(of, { kind: 'progress', progress: kept })
  }

  #silence(view: Attempt): void {
    this.#ports.wheel.cancel(view.timeout)
    this.#ports.wheel.cancel(view.silence)
  }

  #forget(box: string, ref: string): void {
    this.#running.delete(ref)
    this.#planned.delete(ref)
    this.#answers.delete(ref)
    const refs = this.#byBox.get(box)
    refs?.delete(ref)
    if (refs?.size === 0) this.#byBox.delete(box)
  }

  /** Gives up what is planned or runs for a call. */
  #drop(box: string, ref: string, why: string): void {
    const planned = this.#planned.get(ref)
    if (planned !== undefined) {
      planned.cancelled = true
      this.#ports.wheel.cancel(planned.alarm)
    }
    const running = this.#running.get(ref)
    if (running !== undefined) this.#giveUp(running, why)
    this.#forget(box, ref)
  }

  #giveUp({ of, view, activity, settled, leave }: Running, why: string): void {
    view.abort(why)
    this.#silence(view)
    this.#givenUp.add({ of, interruptible: activity.interruptible, settled, leave })
  }

  /** The lease is lost, or the partition was given away: signals abort; late results are offered by inbox. */
  abandon(lost: (box: string) => boolean, why: string): void {
    for (const [box, refs] of this.#byBox) if (lost(box)) for (const ref of new Set(refs)) this.#drop(box, ref, why)
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
  entry: call.entry,
  ref: refOf(box, name, call),
  activity: call.activity,
  attempt: call.attempts + 1,
})
