// Draws one machine, state by state. Its main line leads from each state to the next one, so that all are reached.
import type { Drawing, Voices } from './draw.ts'
import { drawStep, drawTell, drawTimers } from './draw.ts'
import type {
  FollowSketch,
  GroupSketch,
  KidsSketch,
  MachineSketch,
  MessageSketch,
  StateSketch,
  Step,
  TimerSketch,
} from './sketch.ts'

/** What a machine is drawn with. */
export interface MachineFrame {
  readonly name: string
  /** Messages that it may take, those that start it apart. */
  readonly types: readonly MessageSketch[]
  /** Calls that hold their state, and one that does not. */
  readonly activities: readonly { readonly name: string; readonly failures: readonly string[] }[]
  readonly look: string
  /** Machines that may be its children. */
  readonly kids: readonly MachineSketch[]
  readonly begin: MessageSketch
}

const OUT_MS = 5_000

/** Draws one machine. */
export function drawMachine(drawing: Drawing, voices: Voices, frame: MachineFrame): MachineSketch {
  return new MachineDrawing(drawing, voices, frame).draw()
}

class MachineDrawing {
  readonly #drawing: Drawing
  readonly #voices: Voices
  readonly #frame: MachineFrame
  readonly #cyclic: boolean
  readonly #count: number
  readonly #children: readonly KidsSketch[]
  /** Final states that something leads to. */
  readonly #finals = new Set<string>(['done'])

  constructor(drawing: Drawing, voices: Voices, frame: MachineFrame) {
    const { random } = drawing
    this.#drawing = drawing
    this.#frame = frame
    this.#cyclic = random.chance(0.7)
    this.#count = 2 + random.int(4)
    this.#children = frame.kids.length === 0 || !random.chance(0.8) ? [] : this.#drawKids()
    const kids = this.#children.flatMap(({ kind, of }) => {
      const type = `${of}.tell`
      return voices.messages.some((one) => one.type === type) ? [{ kind, type }] : []
    })
    this.#voices = { ...voices, kids }
  }

  draw(): MachineSketch {
    const { random } = this.#drawing
    const states: StateSketch[] = Array.from({ length: this.#count }, (_, i) => this.#state(i))
    const groups = random.chance(0.6) ? [this.#group()] : []
    const cancel = this.#cancel()
    const start = this.#drawing.maybe('start by event', 0.4) ? [this.#frame.begin.type] : []
    return {
      name: this.#frame.name,
      version: 1,
      states: [...states, ...this.#ends()],
      groups,
      ...(cancel !== undefined && { cancel }),
      children: this.#children.filter(({ kind }) => states.some(({ until }) => until.some((one) => one.kind === kind))),
      start,
      ...(this.#drawing.maybe('priority', 0.3) && { priority: random.int(3) - 1 }),
      fair: this.#drawing.maybe('fairBy', 0.4),
    }
  }

  #drawKids(): readonly KidsSketch[] {
    const { random } = this.#drawing
    return this.#frame.kids.map((of, i) => {
      if (of.children.length > 0) this.#drawing.use('grandchildren')
      const onCancel = random.chance(0.5) ? random.pick(['keep', 'cancel'] as const) : undefined
      if (onCancel === 'cancel') this.#drawing.use('children cancelled')
      return {
        kind: `k${i}`,
        of: of.name,
        restart: this.#drawing.maybe('restart', 0.4),
        ...(onCancel !== undefined && { onCancel }),
        shared: this.#drawing.maybe('shared children', 0.08),
      }
    })
  }

  #name(i: number): string {
    return i < this.#count ? `s${i}` : 'done'
  }

  /** Somewhere further on. */
  #ahead(i: number): string {
    const { random } = this.#drawing
    const at = i + 1 + random.int(this.#count - i + 2)
    const to = at <= this.#count ? this.#name(at) : random.pick(['failed', 'gone'])
    if (at > this.#count) this.#finals.add(to)
    return to
  }

  /** Steps that may be taken before the last one of an edge. */
  #choices(i: number, leaves: boolean): Step[] {
    const { random } = this.#drawing
    const steps: Step[] = []
    if (leaves && this.#cyclic && random.chance(0.4)) {
      const back = random.int(i + 1)
      if (back === i) this.#drawing.use('reenter')
      steps.push(
        drawStep(this.#drawing, this.#voices, { to: this.#name(back), when: this.#drawing.guard(), early: true }),
      )
    }
    if (random.chance(0.3))
      steps.push(
        drawStep(this.#drawing, this.#voices, {
          to: leaves ? this.#ahead(i) : undefined,
          when: this.#drawing.guard(),
        }),
      )
    return steps
  }

  /** The last step holds always, and leads on. */
  #onward(i: number, to = this.#name(i + 1), sound = false): readonly Step[] {
    return [...this.#choices(i, true), drawStep(this.#drawing, this.#voices, { to, sound })]
  }

  /** An edge of a message. Where the machine goes round, an event that comes too late must not be taken for the next one: all its steps choose. */
  #message(i: number, { kind }: MessageSketch, mayLeave: boolean): readonly Step[] {
    const { random } = this.#drawing
    if (this.#drawing.maybe('ignored message', 0.12)) return []
    this.#drawing.use('message edge')
    const steps = this.#choices(i, mayLeave)
    const chooses = (kind === 'event' && this.#cyclic) || random.chance(0.3)
    const to = mayLeave && random.chance(0.5) ? this.#ahead(i) : undefined
    steps.push(drawStep(this.#drawing, this.#voices, { to, ...(chooses && { when: this.#drawing.guard() }) }))
    return steps
  }

  #on(i: number, mayLeave: boolean, except: ReadonlySet<string> = new Set()): Record<string, readonly Step[]> {
    const { random } = this.#drawing
    const types = this.#frame.types.filter(({ type }) => !except.has(type) && random.chance(0.4))
    return Object.fromEntries(types.map((one) => [one.type, this.#message(i, one, mayLeave)]))
  }

  #state(i: number): StateSketch {
    const { random } = this.#drawing
    const kinds = ['rest', 'rest', 'call', 'call', 'call', 'join', 'choice'] as const
    const kind = this.#children.length > 0 && random.chance(0.45) ? 'until' : random.pick(kinds)
    const tell = random.chance(0.15) ? drawTell(this.#drawing, this.#voices) : undefined
    if (tell !== undefined) this.#drawing.use('emit on entry')
    const bare = {
      name: this.#name(i),
      on: {},
      after: [],
      always: [],
      until: [],
      tells: tell === undefined ? [] : [tell],
    }
    switch (kind) {
      case 'rest':
        return { ...bare, on: this.#on(i, true), after: this.#timers(i), always: this.#always(i) }
      case 'call':
        return { ...bare, ...this.#call(i) }
      case 'join':
        return { ...bare, ...this.#join(i), after: this.#timers(i) }
      case 'until':
        return { ...bare, ...this.#until(i), on: this.#on(i, true), after: this.#timers(i) }
      case 'choice':
        this.#drawing.use('choice')
        return { ...bare, always: this.#onward(i, undefined, true) }
    }
  }

  #always(i: number): readonly Step[] {
    if (!this.#drawing.maybe('always', 0.2)) return []
    return [drawStep(this.#drawing, this.#voices, { to: this.#ahead(i), when: this.#drawing.guard(), sound: true })]
  }

  /** The first one leads out whatever else happens. */
  #timers(i: number): readonly TimerSketch[] {
    const { random } = this.#drawing
    const out = {
      mostMs: OUT_MS,
      steps: [drawStep(this.#drawing, this.#voices, { to: this.#name(i + 1), sound: true })],
    }
    const more = random.chance(0.4) ? [{ mostMs: 3_000, steps: [this.#aside(i)] }] : []
    const timers = drawTimers(this.#drawing, [out, ...more])
    if (timers[0]!.form === 'duration' || !this.#drawing.maybe('timer never', 0.2)) return timers
    return [...timers, { name: 'never', ms: 1, form: 'never', steps: [this.#aside(i)] }]
  }

  /** A step that need not lead anywhere. */
  #aside(i: number): Step {
    const { random } = this.#drawing
    const to = random.chance(0.4) ? this.#ahead(i) : undefined
    return drawStep(this.#drawing, this.#voices, { to, ...(random.chance(0.4) && { when: this.#drawing.guard() }) })
  }

  #call(i: number): Partial<StateSketch> {
    const { random } = this.#drawing
    const looks = random.chance(0.2)
    const shape = looks ? 'one' : random.pick(['one', 'one', 'named', 'list'] as const)
    this.#drawing.use(`call ${shape}`)
    const { activities, look } = this.#frame
    const called = looks
      ? [{ name: look, failures: [] as readonly string[] }]
      : shape === 'named'
        ? [activities[0]!, activities[random.int(activities.length)]!]
        : [random.pick(activities)]
    if (looks) this.#drawing.use('left while called')
    const fail = this.#fail(
      i,
      called.flatMap(({ failures }) => failures),
    )
    const done = this.#onward(i)
    if (done.length > 1) this.#drawing.use('done with guards')
    return {
      call: {
        shape,
        activities: called.map(({ name }) => name),
        keyed: this.#drawing.maybe('call key', 0.15),
      },
      done,
      ...(fail !== undefined && { fail }),
      on: this.#on(i, looks),
      after: looks ? this.#timers(i) : [],
    }
  }

  #fail(i: number, failures: readonly string[]): StateSketch['fail'] {
    const { random } = this.#drawing
    if (this.#drawing.maybe('fail nowhere', 0.15)) return undefined
    if (this.#drawing.maybe('fail any', 0.3)) return { '*': this.#onward(i, this.#ahead(i)) }
    const fail: Record<string, readonly Step[]> = {}
    for (const code of new Set(failures)) {
      if (!random.chance(0.7)) continue
      this.#drawing.use('fail by code')
      fail[code] = this.#onward(i, this.#ahead(i))
    }
    if (this.#drawing.maybe('fail other', 0.5)) fail['other'] = this.#onward(i, this.#ahead(i))
    return Object.keys(fail).length === 0 ? undefined : fail
  }

  #join(i: number): Pick<StateSketch, 'join' | 'done' | 'on'> {
    const { random } = this.#drawing
    this.#drawing.use('join')
    const first = random.int(this.#frame.types.length)
    const types = this.#frame.types.slice(first, first + 1 + random.int(2)).map(({ type }) => type)
    const join = Object.fromEntries(
      types.map((type) => [
        type,
        this.#drawing.maybe('join true', 0.3) ||
          drawStep(this.#drawing, { ...this.#voices, messages: [], kids: [] }, {}),
      ]),
    )
    return { join, done: this.#onward(i), on: this.#on(i, true, new Set(types)) }
  }

  #until(i: number): Pick<StateSketch, 'until' | 'done'> {
    const { random } = this.#drawing
    const kinds = this.#children.filter((_, at) => at === 0 || random.chance(0.5))
    const until = kinds.map((kind, at) => this.#follow(i, kind, at === 0))
    this.#drawing.use('children')
    return { until, done: this.#onward(i) }
  }

  #follow(i: number, { kind, of }: KidsSketch, waits: boolean): FollowSketch {
    const { random } = this.#drawing
    const child = this.#frame.kids.find(({ name }) => name === of)!
    const ends = child.states.filter(({ final }) => final !== undefined).map(({ name }) => name)
    const all = waits ? ends.filter((name) => name === 'done' || random.chance(0.8)) : []
    const stations = child.states.filter(({ final }) => final === undefined && random.chance(0.25))
    const any: Record<string, readonly Step[]> = {}
    for (const name of [...ends.filter((end) => !all.includes(end)), ...stations.map((one) => one.name)])
      any[name] = random.chance(0.4) ? [] : [this.#aside(i)]
    if (all.length > 0) this.#drawing.use('until all')
    if (Object.values(any).some((steps) => steps.length > 0)) this.#drawing.use('until any')
    return {
      kind,
      all,
      any,
      spawn: !this.#drawing.maybe('spawn false', 0.2),
      ...(all.length > 0 && random.chance(0.2) && { when: this.#drawing.guard('until if') }),
    }
  }

  #group(): GroupSketch {
    const { random } = this.#drawing
    const from = random.int(this.#count - 1)
    const to = from + 1 + random.int(this.#count - from - 1)
    const on = random.chance(0.7) ? [random.pick(this.#frame.types)] : []
    if (on.length > 0) this.#drawing.use('group edge')
    this.#drawing.use('group timer')
    const out = drawStep(this.#drawing, this.#voices, { to: this.#ahead(to), sound: true })
    const timers = [{ mostMs: 9_000, steps: [out] }]
    if (random.chance(0.3)) timers.push({ mostMs: 2_000, steps: [drawStep(this.#drawing, this.#voices, {})] })
    return {
      name: 'g0',
      states: Array.from({ length: to - from + 1 }, (_, i) => this.#name(from + i)),
      on: Object.fromEntries(on.map((one) => [one.type, this.#message(to, one, true)])),
      after: drawTimers(this.#drawing, timers),
    }
  }

  #cancel(): readonly Step[] | undefined {
    const { random } = this.#drawing
    if (!random.chance(0.65)) {
      this.#drawing.use('cancel in place')
      return undefined
    }
    this.#drawing.use('cancel edge')
    this.#finals.add('gone')
    const gone = drawStep(this.#drawing, this.#voices, { to: 'gone', sound: true })
    if (!random.chance(0.4)) return [gone]
    const when = this.#drawing.guard()
    const last = this.#name(this.#count - 1)
    return [drawStep(this.#drawing, this.#voices, { to: last, when, early: true, sound: true }), gone]
  }

  #ends(): readonly StateSketch[] {
    const finals = { done: 'done', failed: 'failed', gone: 'cancelled' } as const
    const names = (['done', 'failed', 'gone'] as const).filter((name) => this.#finals.has(name))
    return names.map((name) => {
      const final = finals[name]
      this.#drawing.use(`final ${final}`)
      const tell = this.#drawing.random.chance(0.3) ? drawTell(this.#drawing, this.#voices) : undefined
      if (tell !== undefined) this.#drawing.use('emit on entry')
      return { name, final, on: {}, after: [], always: [], until: [], tells: tell === undefined ? [] : [tell] }
    })
  }
}
