// Draws what a random service is made of. Every part of the public API that a definition can have has its chance, and is
// counted where it is used: `Uses` is the checklist, and a run over some thousand seeds leaves none of it at zero.
//
// What is drawn comes to an end whatever happens: a state leads on by a timer, by the answer of a call or by its children, and
// back only while the instance is young; a message that never comes is waited for no longer than its timer.
import type { SeededRandom } from '../../../base/random.ts'
import type { ActivitySketch, Guard, MessageSketch, Step, Tell, TimerSketch } from './sketch.ts'

/** Parts of the public API that can be used by a definition. */
export const PARTS = [
  'message edge',
  'ignored message',
  'guard',
  'set function',
  'set fields',
  'field removed',
  'no set',
  'stay',
  'reenter',
  'emit event',
  'emit command',
  'emit several',
  'emit on entry',
  'start by event',
  'correlate',
  'call one',
  'call named',
  'call list',
  'call key',
  'fail by code',
  'fail other',
  'fail any',
  'fail nowhere',
  'done with guards',
  'failures',
  'call within',
  'heartbeat',
  'interruptible',
  'left while called',
  'concurrency',
  'rate',
  'join',
  'join true',
  'timer by duration',
  'timer in',
  'timer at',
  'timer never',
  'always',
  'choice',
  'until all',
  'until any',
  'until if',
  'spawn false',
  'children',
  'grandchildren',
  'restart',
  'children cancelled',
  'shared children',
  'final done',
  'final failed',
  'final cancelled',
  'cancel edge',
  'cancel in place',
  'group edge',
  'group timer',
  'priority',
  'fairBy',
  'throws',
  'need',
  'unfit',
  'migrate same name',
  'migrate other name',
  'migrate keeps calls',
  'migrate drops calls',
  'migrate undecided',
  'migrate from contract',
  'saga step',
  'saga undo',
  'saga undo of nothing',
  'saga parallel',
  'saga wait',
  'saga within',
  'saga pivot',
  'saga undo otherwise',
  'saga value',
  'saga emit',
  'saga failed',
  'saga start',
  'saga cancel',
] as const
/** One of them. */
export type Part = (typeof PARTS)[number]

/** What is drawn, and how often each part came up. */
export class Drawing {
  readonly random: SeededRandom
  readonly uses = new Map<Part, number>()
  #tags = 0

  constructor(random: SeededRandom) {
    this.random = random
  }

  /** Counts a part. */
  use(part: Part): void {
    this.uses.set(part, (this.uses.get(part) ?? 0) + 1)
  }

  /** True with that chance; then the part is used. */
  maybe(part: Part, chance: number): boolean {
    const used = this.random.chance(chance)
    if (used) this.use(part)
    return used
  }

  /** A number that no other step of the service has. */
  tag(): number {
    return ++this.#tags
  }

  guard(part: Part = 'guard'): Guard {
    const of = 2 + this.random.int(2)
    this.use(part)
    return { of, rest: this.random.int(of) }
  }

  /** A time in ms; even or odd, as `at` is written in two ways. */
  time(mostMs: number): number {
    return 100 + this.random.int(mostMs)
  }
}

/** What a step may do besides: whom it can tell. */
export interface Voices {
  readonly messages: readonly MessageSketch[]
  readonly names: readonly string[]
  /** Commands that children of a kind take. */
  readonly kids: readonly { readonly kind: string; readonly type: string }[]
}

/** A message that is emitted. */
export function drawTell(drawing: Drawing, voices: Voices): Tell | undefined {
  const { random } = drawing
  const many = random.chance(0.25) ? 2 : 1
  if (many > 1) drawing.use('emit several')
  const kid = voices.kids.length > 0 && random.chance(0.5) ? random.pick(voices.kids) : undefined
  if (kid !== undefined) {
    drawing.use('emit command')
    return { type: kid.type, many, names: [], kind: kid.kind }
  }
  if (voices.messages.length === 0) return undefined
  const { type, kind } = random.pick(voices.messages)
  drawing.use(kind === 'event' ? 'emit event' : 'emit command')
  return { type, many, names: voices.names }
}

/** One step. `to` undefined: it stays. */
export function drawStep(
  drawing: Drawing,
  voices: Voices,
  o: { readonly to?: string | undefined; readonly when?: Guard; readonly early?: boolean; readonly sound?: boolean },
): Step {
  const { random } = drawing
  const tag = drawing.tag()
  const tell = random.chance(0.25) ? drawTell(drawing, voices) : undefined
  const still = o.to === undefined && tell === undefined && drawing.maybe('no set', 0.15)
  const sets = still ? 'nothing' : random.chance(0.7) ? 'function' : 'fields'
  if (sets !== 'nothing') drawing.use(sets === 'function' ? 'set function' : 'set fields')
  if (sets !== 'nothing' && tag % 6 === 0) drawing.use('field removed')
  if (o.to === undefined) drawing.use('stay')
  const flaw = o.sound === true || still ? undefined : drawFlaw(drawing)
  return {
    tag,
    ...(o.to !== undefined && { to: o.to }),
    ...(o.when !== undefined && { when: o.when }),
    early: o.early === true,
    sets,
    tells: tell === undefined ? [] : [tell],
    ...(flaw !== undefined && { flaw }),
  }
}

function drawFlaw(drawing: Drawing): Step['flaw'] {
  if (!drawing.random.chance(0.06)) return undefined
  const flaw = drawing.random.pick(['throws', 'needs', 'unfit'] as const)
  drawing.use(flaw === 'needs' ? 'need' : flaw)
  return flaw
}

/** Timers of one state or group: all by their durations, or all by name. */
export function drawTimers(
  drawing: Drawing,
  edges: readonly { readonly mostMs: number; readonly steps: readonly Step[] }[],
): readonly TimerSketch[] {
  const byDuration = drawing.random.chance(0.4)
  const taken = new Set<number>()
  return edges.map(({ mostMs, steps }, i) => {
    let ms = drawing.time(mostMs)
    while (taken.has(ms)) ms++
    taken.add(ms)
    const form = byDuration ? 'duration' : drawing.random.pick(['in', 'at'] as const)
    drawing.use(form === 'duration' ? 'timer by duration' : form === 'in' ? 'timer in' : 'timer at')
    return { name: byDuration ? `${ms} ms` : `t${i}`, ms, form, steps }
  })
}

const FAILURES = ['Refused', 'Gone'] as const

/** The activities of a service: some that anybody calls, and pairs of a deed and its undo for sagas. */
export function drawActivities(drawing: Drawing, prefix: string): readonly ActivitySketch[] {
  const { random } = drawing
  const one = (name: string, sure: boolean): ActivitySketch => {
    const failures = sure ? [] : FAILURES.slice(0, random.int(3))
    if (failures.length > 0) drawing.use('failures')
    return {
      name,
      failures,
      attempts: 2 + random.int(3),
      timeoutMs: 900 + random.int(1_200),
      ...(drawing.maybe('call within', 0.2) && { withinMs: 2_500 }),
      ...(drawing.maybe('heartbeat', 0.35) && { heartbeatMs: 500 + random.int(300) }),
      ...(drawing.maybe('concurrency', 0.15) && { concurrency: 1 + random.int(2) }),
      ...(drawing.maybe('rate', 0.15) && { rate: 1 + random.int(2) }),
      interruptible: false,
    }
  }
  drawing.use('interruptible')
  return [
    one(`${prefix}a0`, false),
    one(`${prefix}a1`, false),
    { ...one(`${prefix}look`, false), interruptible: true },
    one(`${prefix}do0`, false),
    { ...one(`${prefix}undo0`, true), undoes: `${prefix}do0` },
    one(`${prefix}do1`, false),
    { ...one(`${prefix}undo1`, true), undoes: `${prefix}do1` },
  ]
}
