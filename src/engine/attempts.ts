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

/** Of a body that has not come to its first wait, or never waits. */
const NO_WAIT = Promise.resolve()
const PROGRESS_MS = 5_000
const LEASE_LOOK_MS = 100

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
  /** It has a place at a limit. */
  placed: boolean
}

/**
 * What this worker does about one call: it waits for its time or its turn; runs; has answered, until a commit has booked that; or was let
 * go for another worker.
 */
interface Held extends Standing {
  readonly of: AttemptOf
  phase: 'planned' | 'running' | 'answered' | 'released'
  alarm: Alarm | undefined
  cancelled: boolean
  /** Its attempt, while that counts. */
  running: Running | undefined
}

/** The attempts of one worker. */
export class Attempts {
  readonly #ports: AttemptPorts
  /** By box, then by the name of the call. Nothing else is started for a call that is here. */
  readonly #held = new Map<string, Map<string, Held>>()
  readonly #givenUp: GivenUp
  #stopped = false

  constructor(ports: AttemptPorts) {
    this.#ports = ports
    this.#givenUp = new GivenUp(ports)
  }

  /** Bodies that do not settle, in words, for the health. */
  get problems(): readonly string[] {
    return this.#givenUp.problems
  }

  /** What an instance calls now, after a commit: starts what is open, aborts what is not. In one that has stalled nothing starts,
   *  and what runs goes on: nobody has decided about its call. */
  sync(box: string, instance: Instance | null, definition: MachineDefinition): void {
    const calls = instance === null || hasEnded(instance.status) ? null : instance.calls
    for (const held of this.#held.get(box)?.values() ?? [])
      if (!isOpen(calls?.[held.of.call], held.of)) this.#drop(held, 'its call is settled, or its state was left')
    if (instance === null) return
    for (const name in calls) {
      const call = calls[name]!
      if (call.settled === undefined) this.#attend(box, instance, definition, name, call)
    }
  }

  #attend(box: string, instance: Instance, definition: MachineDefinition, name: string, call: CallRecord): void {
    const held = this.#held.get(box)?.get(name)
    const taken = held !== undefined && !this.#bookedBy(held, call)
    if (instance.status === 'stalled') {
      if (held?.phase === 'planned') this.#drop(held, 'its instance has stalled')
      return
    }
    if (taken) return
    if (this.#stopped) this.#release(box, instance, name, call)
    else if (!this.#takesOver(box, instance, name, call)) this.#plan(box, instance, definition, name, call)
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
    this.#hold(of, instance).phase = 'released'
    this.#tell(of, { kind: 'released' })
  }

  /** What an attempt answered is committed: its call, if it still stands open, may be tried again. */
  booked(of: AttemptOf): void {
    const held = this.#held.get(of.box)?.get(of.call)
    if (held?.phase === 'answered' && held.of === of) this.#forget(held)
  }

  /** The same, told by the call: an answer that its instance stalled on is booked by an operator's retry. */
  #bookedBy(held: Held, call: CallRecord): boolean {
    if (held.phase !== 'answered' || call.attempts === held.of.attempt - 1) return false
    this.#forget(held)
    return true
  }

  #plan(box: string, instance: Instance, definition: MachineDefinition, name: string, call: CallRecord): void {
    const activity = activityKept(definition, definition.states.get(instance.state), call)
    const held = this.#hold(attemptOf(box, instance, name, call), instance)
    if (activity === undefined) return // gone from this build: the core stalls the instance with whatever comes next
    const waitMs = call.nextAt === undefined ? 0 : call.nextAt - this.#ports.storeNow()
    if (waitMs > 0) held.alarm = this.#ports.wheel.set(waitMs, () => this.#whenFree(held, activity, call))
    else this.#whenFree(held, activity, call)
  }

  #hold(of: AttemptOf, { priority, fairKey }: Instance): Held {
    const fair = fairKey ?? ''
    const held: Held = { of, phase: 'planned', priority, fair, alarm: undefined, cancelled: false, running: undefined }
    const calls = this.#held.get(of.box)
    if (calls === undefined) this.#held.set(of.box, new Map([[of.call, held]]))
    else calls.set(of.call, held)
    return held
  }

  /** A3: waits for bodies of the same instance that were given up, at most the grace. */
  #whenFree(held: Held, activity: ActivityDefinition, call: CallRecord): void {
    const free = this.#givenUp.wait(held.of)
    if (free === undefined) this.#enter(held, activity, call)
    else void free.then(() => this.#enter(held, activity, call))
  }

  #enter(held: Held, activity: ActivityDefinition, call: CallRecord): void {
    if (held.cancelled || this.#stopped) return
    const { limits, mayStart, wheel } = this.#ports
    // Asked when its turn has come, which may be long after it began to wait.
    limits.enter(activity, held, () => {
      const may = mayStart()
      if (may) this.#start(held, activity, call)
      else held.alarm = wheel.set(LEASE_LOOK_MS, () => this.#enter(held, activity, call))
      return may
    })
  }

  #start(held: Held, activity: ActivityDefinition, call: CallRecord): void {
    const { clock, wheel, body, onStarted } = this.#ports
    const { of } = held
    const view = new Attempt(of, call.progress, clock.monotonic())
    const running: Running = { of, view, activity, settled: NO_WAIT, placed: true }
    held.phase = 'running'
    held.running = running
    view.timeout = wheel.set(activity.timeoutMs, () => this.#lost(running, `no answer within ${activity.timeoutMs} ms`))
    view.heartbeat = (progress) => this.#heartbeat(running, progress)
    onStarted(of)
    // The body may call `heartbeat` before it first waits: all that this needs is there before it starts.
    if (activity.heartbeatMs !== undefined) this.#listen(running, activity.heartbeatMs)
    const outcome = runBody(body(activity), call.input, view)
    // After the present work in any case: whoever starts attempts is in the midst of it.
    if (outcome instanceof Promise) running.settled = outcome.then((late) => this.#settled(running, late))
    else running.settled = NO_WAIT.then(() => this.#settled(running, outcome))
  }

  #settled(running: Running, outcome: ResultInput['outcome']): void {
    this.#leave(running)
    this.#answered(running, outcome)
  }

  /** Gives a place at a limit back: when the body has settled, or before that where it does not. */
  #leave(running: Running): void {
    if (running.placed) this.#ports.limits.leave(running.activity)
    running.placed = false
  }

  /** The body has settled. An attempt that was told as lost already counts only where it succeeded. */
  #answered(running: Running, outcome: ResultInput['outcome']): void {
    const { view, activity } = running
    this.#silence(view)
    const undeclared = outcome.kind === 'failure' && !activity.failures.includes(outcome.code)
    const told: ResultInput['outcome'] = undeclared
      ? {
          kind: 'unknown',
          message: errorText(
            `it failed with "${outcome.code}", which is not among its declared failures: ${outcome.message}`,
          ),
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
    const held = this.#heldBy(of)
    if (held === undefined) return
    held.phase = 'answered'
    held.running = undefined
  }

  /** The call of an attempt that runs and counts. */
  #heldBy(of: AttemptOf): Held | undefined {
    const held = this.#held.get(of.box)?.get(of.call)
    return held?.running?.of === of ? held : undefined
  }

  #end(running: Running, outcome: ResultInput['outcome']): void {
    const { of, view } = running
    this.#tell(of, outcome, this.#ports.clock.monotonic() - view.startedAt)
  }

  #tell(of: AttemptOf, outcome: ResultInput['outcome'], ms?: number): void {
    const { call, key, entry, attempt } = of
    const at = this.#ports.storeNow()
    const jitter = this.#ports.random.next()
    // prettier-ignore
    const input: ResultInput = {
      kind: 'result', id: key, at, correlation: '', stamp: 0, call, key, attempt, outcome, jitter,
      ...(entry !== undefined && { entry }),
    }
    this.#ports.result(of, input, ms)
  }

  #listen(running: Running, ms: number): void {
    this.#ports.wheel.cancel(running.view.silence)
    running.view.silence = this.#ports.wheel.set(ms, () => this.#lost(running, `no heartbeat within ${ms} ms`))
  }

  #heartbeat(running: Running, progress: unknown): void {
    const { view, activity, of } = running
    if (this.#heldBy(of)?.running !== running) return // it has answered, or was given up
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

  #forget({ of }: Held): void {
    const calls = this.#held.get(of.box)
    calls?.delete(of.call)
    if (calls?.size === 0) this.#held.delete(of.box)
  }

  /** Gives up what is planned or runs for a call. */
  #drop(held: Held, why: string): void {
    held.cancelled = true
    this.#ports.wheel.cancel(held.alarm)
    if (held.running !== undefined) this.#giveUp(held.running, why)
    this.#forget(held)
  }

  #giveUp(running: Running, why: string): void {
    const { of, view, activity, settled } = running
    view.abort(why)
    this.#silence(view)
    const leave = (): void => this.#leave(running)
    this.#givenUp.add({ of, interruptible: activity.interruptible, settled, leave })
  }

  /** The lease is lost, or the partition was given away: signals abort; late results are offered by inbox. */
  abandon(lost: (box: string) => boolean, why: string): void {
    for (const [box, calls] of this.#held) if (lost(box)) for (const held of calls.values()) this.#drop(held, why)
  }

  /** Starts nothing new; waits for what runs, at most `graceMs`; then aborts it. Answers what still had not settled. */
  async stop(graceMs: number): Promise<readonly AttemptOf[]> {
    this.#stopped = true
    const all = [...this.#held.values()].flatMap((calls) => [...calls.values()])
    for (const held of all)
      if (held.phase === 'planned') {
        held.cancelled = true
        this.#ports.wheel.cancel(held.alarm)
        this.#tell(held.of, { kind: 'released' })
      }
    const running = all.flatMap((held) => held.running ?? [])
    const settled = Promise.all(running.map((one) => one.settled))
    if (running.length > 0 && graceMs > 0)
      await new Promise<void>((resolve) => {
        const alarm = this.#ports.wheel.set(graceMs, resolve)
        void settled.then(() => {
          this.#ports.wheel.cancel(alarm)
          resolve()
        })
      })
    const left = running.filter(({ of }) => this.#heldBy(of) !== undefined)
    for (const one of left) {
      const { view, of } = one
      this.#silence(view)
      view.over = true
      this.#close(one)
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
  activity: call.activity,
  attempt: call.attempts + 1,
})

/** Whether an attempt's call stands open. A key of the user's may be that of other calls too: it alone tells no calls apart. */
const isOpen = (call: CallRecord | undefined, { key, entry }: AttemptOf): boolean =>
  call !== undefined && call.settled === undefined && call.key === key && call.entry === entry
