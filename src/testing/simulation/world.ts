// The world outside: the services that activities call. It remembers what was asked of it under which key, and misbehaves as
// services do: slow, silent, broken before or after it has done the work, refusing by rule.
//
// W1  It is idempotent: what is done under a key stays done, with one answer; a refusal under a key stays that refusal.
// W2  What was undone before it arrived is never done (a service that knows keys refuses such stragglers).
// W3  It goes on when the worker that called is dead; only the answer is lost then.
import { canonicalJson } from '../../base/json.ts'
import type { SeededRandom } from '../../base/random.ts'
import type { AttemptContext } from '../../machine/definition.ts'
import type { Coverage } from './coverage.ts'
import type { Life } from './scheduler.ts'
import type { Story } from './story.ts'
import type { Violations } from './violation.ts'

/** One service that activities call. */
export interface Deed {
  readonly activity: string
  /** What it answers; a function of the input and the key alone. */
  readonly answer: (input: Readonly<Record<string, unknown>>, key: string) => unknown
  /** Failures that it declares, with the chance that a key meets one. */
  readonly failures?: readonly { readonly code: string; readonly chance: number }[]
  /** How often it says that it lives while it works; absent: never. */
  readonly beatsMs?: number
  /** Present on an undo: the key of the deed that it undoes. */
  readonly undoes?: (input: Readonly<Record<string, unknown>>) => string
}

/** All that happened under one key. */
export interface KeyRecord {
  readonly key: string
  readonly activity: string
  readonly inputText: string
  attempts: number
  /** Attempts whose work the service has begun and not ended: it may be done any moment. */
  running: number
  settled: 'done' | 'refused' | 'void' | undefined
  code: string | undefined
  undone: boolean
  /** How often its attempts have said that they live. */
  beaten: number
}

/** How an attempt goes. `broken`: it fails with nothing done; `unheard`: done, and the answer is an error; `silent`: it never
 *  answers, done or not; `late`: it answers after every timeout. */
type Course = 'well' | 'broken' | 'unheard' | 'silent' | 'late'

/** What a world needs. */
export interface WorldOptions {
  /** The services' own life. */
  readonly life: Life
  readonly random: SeededRandom
  readonly violations: Violations
  readonly deeds: readonly Deed[]
  /** Whether a call of that key was ever committed (I5). */
  readonly isDurable: (key: string) => boolean
  readonly coverage: Coverage
  readonly story: Story
  /** How attempts go that do not go well; undefined: it is drawn. */
  readonly only?: readonly WorldFault[] | undefined
}

/** An attempt that does not go well: of which activity, the how-manieth. */
export interface WorldFault {
  readonly attempt: string
  readonly course: Exclude<Course, 'well'>
}

const LATE_MS = 6_000
/** A service that breaks is down, now and then: for more attempts than one call may have. */
const DOWN_CHANCE = 0.1
const DOWN_ATTEMPTS = 12
/** What says that it lives works as long as it takes to say so that often, at most. */
const WORK_BEATS = 4

/** The services, and what they remember. */
export class World {
  readonly #o: WorldOptions
  readonly #deeds: ReadonlyMap<string, Deed>
  readonly #randoms: ReadonlyMap<string, SeededRandom>
  readonly #attempts = new Map<string, number>()
  readonly #only: ReadonlyMap<string, WorldFault['course']> | undefined
  /** By activity: attempts that will meet a service that is down. */
  readonly #down = new Map<string, number>()
  /** What did not go well so far. */
  readonly happened: WorldFault[] = []
  readonly records = new Map<string, KeyRecord>()
  /** What somebody who asked was told of a key, before it was done: it stays so. */
  readonly #refusedEarly = new Map<string, string>()
  /** Keys of deeds that were undone before they were done. */
  readonly #undoneEarly = new Set<string>()
  /** Chance of each course; what is left over goes well. */
  courses: Readonly<Partial<Record<Course, number>>> = {}
  /** The longest that a service takes on one side of its work. */
  slowMs = 50

  constructor(o: WorldOptions) {
    this.#o = o
    this.#deeds = new Map(o.deeds.map((deed) => [deed.activity, deed]))
    this.#randoms = new Map(o.deeds.map((deed) => [deed.activity, o.random.fork()]))
    this.#only = o.only && new Map(o.only.map(({ attempt, course }) => [attempt, course]))
  }

  /** One attempt, called from one life of a worker. */
  async attempt(
    life: Life,
    activity: string,
    input: Readonly<Record<string, unknown>>,
    context: AttemptContext,
  ): Promise<unknown> {
    const deed = this.#deeds.get(activity)!
    const record = this.#recordOf(deed, input, context.idempotencyKey)
    record.attempts++
    const course = this.#course(activity)
    const random = this.#randoms.get(activity)!
    const half = random.chance(0.5)
    const dies = course === 'broken' || (course === 'silent' && half)
    record.running++
    if (record.running > 1) this.#o.coverage.add('fault two attempts of one call at once')
    if (record.settled !== undefined) this.#o.coverage.add('fault an attempt of what is settled')
    const { story } = this.#o
    story.tell('world', () => `attempt ${record.attempts} of ${activity} (${record.key})${COURSES[course]}`)
    this.#checkProgress(record, context.lastProgress)
    const slowMs = Math.max(this.slowMs, WORK_BEATS * (deed.beatsMs ?? 0))
    const working = this.#takesTime(random, course === 'silent' ? LATE_MS : slowMs, activity)
    if (course !== 'silent') void this.#beat(life, deed, record, context, working)
    await working
    if (!dies) this.#settle(deed, record, input)
    record.running--
    if (course === 'silent') return await new Promise(() => {})
    await this.#takesTime(random, course === 'late' ? LATE_MS : this.slowMs, activity)
    await life.park(activity)
    if (course === 'broken' || course === 'unheard') throw new Error(`${activity}: connection lost (${course})`)
    if (record.settled === 'void') throw new Error(`${activity}: ${record.key} is not wanted any more`)
    if (record.settled === 'refused') context.fail(record.code!, `${activity} refuses`)
    return deed.answer(input, record.key)
  }

  /** What somebody is told who asks for a key: what is not done by now will never be. `code` undefined: there is no word for that. */
  inquire(
    activity: string,
    key: string,
    input: Readonly<Record<string, unknown>>,
  ): { readonly answer: unknown } | { readonly code: string | undefined } {
    const deed = this.#deeds.get(activity)!
    const record = this.records.get(key)
    if (record?.settled === 'done') return { answer: deed.answer(input, key) }
    const code = record?.code ?? deed.failures?.[0]?.code
    // An undo is always wanted still.
    if (code !== undefined && record?.settled === undefined) this.#refusedEarly.set(key, code)
    return { code }
  }

  /** It says that it lives while it works, if anybody hears it still. */
  async #beat(
    life: Life,
    { beatsMs, activity }: Deed,
    record: KeyRecord,
    { signal, heartbeat }: AttemptContext,
    working: Promise<void>,
  ): Promise<void> {
    if (beatsMs === undefined) return
    let over = false
    void working.then(() => (over = true))
    for (;;) {
      await life.wait(beatsMs, activity)
      // Whoever is not asked any more is not heard.
      if (over || signal.aborted) return
      heartbeat(++record.beaten)
      this.#o.coverage.add('call heartbeat')
    }
  }

  /** An attempt is told how far an earlier one has come: as that one said it. */
  #checkProgress({ key, attempts, beaten }: KeyRecord, progress: unknown): void {
    if (progress === undefined) return
    this.#o.coverage.add('call goes on from a heartbeat')
    this.#o.violations.check(
      'I5',
      attempts > 1 && typeof progress === 'number' && progress >= 1 && progress <= beaten,
      () => `attempt ${attempts} of ${key} was told of progress ${JSON.stringify(progress)}, and ${beaten} was said`,
    )
  }

  #course(activity: string): Course {
    const count = (this.#attempts.get(activity) ?? 0) + 1
    this.#attempts.set(activity, count)
    const drawn = this.#drawn(activity)
    const attempt = `${activity} ${count}`
    const course = this.#only === undefined ? drawn : (this.#only.get(attempt) ?? 'well')
    if (course === 'well') return course
    this.happened.push({ attempt, course })
    this.#o.coverage.add(`fault activity${COURSES[course]}`)
    return course
  }

  #drawn(activity: string): Course {
    const random = this.#randoms.get(activity)!
    let left = random.next()
    const down = this.#down.get(activity) ?? 0
    if (down > 0) this.#down.set(activity, down - 1)
    if (down > 0 && this.courses.broken !== undefined) return 'broken'
    for (const course of ['broken', 'unheard', 'silent', 'late'] as const) {
      left -= this.courses[course] ?? 0
      if (left >= 0) continue
      if (course === 'broken' && random.chance(DOWN_CHANCE)) this.#down.set(activity, DOWN_ATTEMPTS)
      return course
    }
    return 'well'
  }

  #recordOf(deed: Deed, input: Readonly<Record<string, unknown>>, key: string): KeyRecord {
    const { violations, isDurable } = this.#o
    const inputText = canonicalJson(input)
    violations.check(
      'I5',
      isDurable(key),
      () => `${deed.activity} was started under ${key}, which no commit has asked for`,
    )
    const known = this.records.get(key)
    if (known === undefined) {
      const { activity } = deed
      const fresh = {
        key,
        activity,
        inputText,
        attempts: 0,
        running: 0,
        settled: undefined,
        code: undefined,
        undone: false,
        beaten: 0,
      }
      this.records.set(key, fresh)
      return fresh
    }
    violations.check(
      'I5',
      known.activity === deed.activity && known.inputText === inputText,
      () => `key ${key} came with ${deed.activity} ${inputText}, and before with ${known.activity} ${known.inputText}`,
    )
    return known
  }

  #settle(deed: Deed, record: KeyRecord, input: Readonly<Record<string, unknown>>): void {
    if (record.settled !== undefined) return
    if (this.#undoneEarly.has(record.key)) {
      record.settled = 'void'
      return
    }
    const failure = deed.failures?.find(({ chance }) => this.#randoms.get(deed.activity)!.chance(chance))
    const code = this.#refusedEarly.get(record.key) ?? failure?.code
    record.settled = code === undefined ? 'done' : 'refused'
    record.code = code
    if (code === undefined && deed.undoes !== undefined) this.#undo(deed.undoes(input))
  }

  #undo(key: string): void {
    const done = this.records.get(key)
    if (done?.settled === undefined) this.#undoneEarly.add(key)
    if (done !== undefined) done.undone = true
  }

  #takesTime(random: SeededRandom, ms: number, what: string): Promise<void> {
    return this.#o.life.wait(random.int(Math.max(1, ms)), what)
  }
}

/** Courses in the words of whoever reads them. */
const COURSES: Readonly<Record<Course, string>> = {
  well: '',
  broken: ' fails',
  unheard: ' does its work, and its answer is lost',
  silent: ' never answers',
  late: ' answers late',
}
