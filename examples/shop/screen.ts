// The live screen: figures in, text out. 80 columns are enough, and 24 lines.
import { styleText } from 'node:util'
import type { Door } from './door.ts'
import type { Figures } from './figures.ts'
import { instancesLaw, lawText, messagesLaw, type Law } from './laws.ts'

/** What does not change while the shop is open, and how the source of orders stands. */
export interface Sign {
  readonly db: string
  readonly dbBytes: number
  readonly pid: number
  readonly fail: number
  /** Customers per second; undefined: as fast as it goes. */
  readonly rate: number | undefined
  readonly placed: number
  /** How many will be placed, where that is known. */
  readonly total: number | undefined
  /** Lines of the file that were no orders. */
  readonly badLines: number
  readonly stopping: boolean
  /** Undefined: it has none. */
  readonly door: Door | undefined
}

/** How it is drawn. */
export interface Canvas {
  readonly columns: number
  readonly rows: number
  readonly colours: boolean
}

type Style = Parameters<typeof styleText>[0]
type Span = string | readonly [text: string, style: Style]
type Line = readonly Span[]

const count = (n: number): string => Math.round(n).toLocaleString('en')
const seconds = (ms: number | undefined): string =>
  ms === undefined ? '–' : ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
/** Hours, minutes and seconds of a time that has passed. */
export const clock = (ms: number): string => {
  const s = Math.floor(ms / 1_000)
  return [s / 3_600, (s / 60) % 60, s % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':')
}
const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length

/** Transitions per second, over the newest seconds. */
export const pace = ({ transitions }: Figures): number => mean(transitions.slice(-5))

const SPARKS = '▁▂▃▄▅▆▇█'
/** A row of small bars, the tallest for the greatest value. */
export function sparkline(values: readonly number[]): string {
  const max = Math.max(1, ...values)
  return values.map((value) => SPARKS[Math.min(7, Math.floor((value / max) * 8))]).join('')
}

const PARTS = ' ▏▎▍▌▋▊▉'
/** A bar of that width, to an eighth of a column; whatever is more than nothing shows. */
export function bar(share: number, width: number): string {
  const eighths = share <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, share) * width * 8))
  const rest = eighths % 8
  return ('█'.repeat(Math.floor(eighths / 8)) + (rest === 0 ? '' : PARTS[rest])).padEnd(width)
}

const BOX = 11
const FORWARD = ['reserve', 'charge', 'book', 'delivery'] as const

/** An order's way, with how many stand where. */
function diagram(figures: Figures): Line[] {
  const orders = figures.counts.instances['order']
  const at = (state: string): number => orders?.states[state] ?? 0
  const living = FORWARD.map(at)
  const undoing = Object.entries(orders?.states ?? {}).reduce(
    (sum, [state, n]) => (state.startsWith('undo ') ? sum + n : sum),
    0,
  )
  const max = Math.max(1, ...living)
  const undone = (orders?.failed ?? 0) + (orders?.cancelled ?? 0)
  const top: Span[] = ['  ']
  const middle: Span[] = ['  ']
  const bars: Span[] = ['  ']
  const floor: Span[] = ['  ']
  FORWARD.forEach((state, i) => {
    const isBeforePivot = state !== 'delivery'
    top.push([`╭ ${state} ${'─'.repeat(BOX - state.length - 2)}╮   `, 'cyan'])
    middle.push(['│', 'cyan'], [count(living[i]!).padStart(BOX - 1), 'bold'], [' ├──▸', 'cyan'])
    // Roots, so that a state with few is seen beside one with many.
    bars.push(['│ ', 'cyan'], [bar(Math.sqrt(living[i]! / max), BOX - 2), 'yellow'], [' │   ', 'cyan'])
    floor.push([`╰${'─'.repeat(5)}${isBeforePivot ? '┬' : '─'}${'─'.repeat(BOX - 6)}╯   `, 'cyan'])
  })
  top.push(['done', 'green'])
  middle.push([' ', 'green'], [count(orders?.done ?? 0), ['bold', 'green']])
  bars.push(['(kept)', 'dim'])
  const undo: Line = [
    ['        ╰───────────────┴───────────────┴───▸ undo ', 'magenta'],
    [count(undoing).padStart(4), ['bold', 'magenta']],
    [' ──▸ undone ', 'magenta'],
    [count(undone), ['bold', 'magenta']],
  ]
  return [top, middle, bars, floor, undo]
}

/** The machines that listen, a line each. */
function listeners({ counts }: Figures): Line[] {
  const chain = (machine: string, states: readonly string[], end: string): Line => {
    const found = counts.instances[machine]
    const steps = states.flatMap((state): Span[] => [
      `${state} `,
      [count(found?.states[state] ?? 0), 'bold'],
      [' ▸ ', 'dim'],
    ])
    return [[`  ${machine.padEnd(14)}`, 'cyan'], ...steps, `${end} `, [count(found?.done ?? 0), ['bold', 'green']]]
  }
  return [
    chain('parcel', ['packing', 'handing over', 'on the road'], 'delivered'),
    chain('notification', ['telling'], 'told'),
  ]
}

function speed(figures: Figures): Line[] {
  const { counts } = figures
  const stalled = Object.values(counts.instances).reduce((sum, machine) => sum + machine.stalled, 0)
  const alarm = (n: number): Span => [count(n), n === 0 ? 'bold' : ['bold', 'red']]
  return [
    [
      ['  transitions   ', 'cyan'],
      [`${count(pace(figures))}/s`.padEnd(9), 'bold'],
      [sparkline(figures.transitions), 'green'],
    ],
    [
      ['  commits       ', 'cyan'],
      [`${count(figures.commitsPerSecond)}/s`.padEnd(9), 'bold'],
      `${figures.commitSize.toFixed(1)} transitions each, ${figures.commitMs.toFixed(1)} ms`,
    ],
    [
      ['  start–finish  ', 'cyan'],
      'p50 ',
      [seconds(figures.p50Ms).padEnd(9), 'bold'],
      'p99 ',
      [seconds(figures.p99Ms), 'bold'],
    ],
    [
      ['  retries       ', 'cyan'],
      [count(figures.retries).padEnd(9), 'bold'],
      'compensations ',
      [count(figures.compensations).padEnd(9), 'bold'],
      'stalled ',
      alarm(stalled),
      '   dead letters ',
      alarm(counts.messages.dead),
    ],
  ]
}

/** A law on one line or two, cut between its parts. */
function equation(law: Law, columns: number): Line[] {
  const head: Span[] = [[`  ${law.name.padEnd(12)}`, 'cyan'], law.balances ? ['✓ ', 'green'] : ['✗ ', ['bold', 'red']]]
  const room = columns - 17
  const text = lawText(law)
  if (text.length <= room) return [[...head, text]]
  const cut = text.lastIndexOf(' + ', room)
  return [[...head, text.slice(0, cut)], [`${' '.repeat(16)}${text.slice(cut)}`]]
}

/** Spans as text, cut at the width. */
function paint(line: Line, { columns, colours }: Canvas): string {
  let room = columns
  let text = ''
  for (const span of line) {
    const [words, style] = typeof span === 'string' ? [span, undefined] : span
    const shown = words.slice(0, Math.max(0, room))
    room -= shown.length
    text += style !== undefined && colours && shown !== '' ? styleText(style, shown, { validateStream: false }) : shown
  }
  return text.trimEnd()
}

/** Where the shop is asked over HTTP, and with what. */
export const doorText = ({ url, token }: Door): string => `${url}  Bearer ${token}`

/** The whole screen, lines joined by line ends: never wider nor higher than the canvas. */
export function screen(figures: Figures, sign: Sign, canvas: Canvas): string {
  const { health } = figures
  const state: Span = sign.stopping
    ? ['stopping', 'yellow']
    : health.ready
      ? ['open', 'green']
      : ['not ready', ['bold', 'red']]
  const placed =
    sign.total === undefined ? `${count(sign.placed)} placed` : `${count(sign.placed)} of ${count(sign.total)} placed`
  const rate = sign.rate === undefined ? '' : `${sign.rate} customers/s, `
  const trouble = health.problems[0] ?? figures.trouble
  const all: Line[] = [
    [
      [' PAWL ', ['bold', 'inverse']],
      '  the shop is ',
      state,
      ` for ${clock(figures.upMs)}, ${placed}`,
      sign.badLines > 0 ? [`, ${count(sign.badLines)} bad lines`, 'red'] : '',
    ],
    [
      [
        `  ${sign.db}, ${megabytes(sign.dbBytes)}; ${rate}${Math.round(sign.fail * 100)} % of calls have trouble`,
        'dim',
      ],
    ],
    sign.door === undefined ? [] : [[`  ${doorText(sign.door)}`, 'dim']],
    ...diagram(figures),
    [],
    ...listeners(figures),
    [],
    ...speed(figures),
    [],
    ...equation(instancesLaw(figures.counts), canvas.columns),
    ...equation(messagesLaw(figures.counts), canvas.columns),
    trouble === undefined ? [] : [[`  ${trouble}`, 'red']],
    [[`  kill -9 ${sign.pid}, then start again: every order goes on.  Ctrl-C stops.`, 'dim']],
  ]
  return all
    .slice(0, canvas.rows)
    .map((line) => paint(line, canvas))
    .join('\n')
}

/** One line for where there is no screen. `at`: the time of day. */
export function logLine(figures: Figures, sign: Sign, at: string): string {
  const orders = figures.counts.instances['order']
  const stalled = Object.values(figures.counts.instances).reduce((sum, machine) => sum + machine.stalled, 0)
  const open = (orders?.running ?? 0) + (orders?.waiting ?? 0)
  const laws = [instancesLaw(figures.counts), messagesLaw(figures.counts)]
  return [
    `${at} orders ${count(orders?.started ?? 0)} started, ${count(open)} open, ${count(orders?.done ?? 0)} done, ${count((orders?.failed ?? 0) + (orders?.cancelled ?? 0))} undone`,
    `${count(pace(figures))} transitions/s`,
    `p50 ${seconds(figures.p50Ms)} p99 ${seconds(figures.p99Ms)}`,
    `retries ${count(figures.retries)}, compensations ${count(figures.compensations)}, stalled ${count(stalled)}, dead ${count(figures.counts.messages.dead)}`,
    laws.map((law) => `${law.name} ${law.balances ? 'balance' : `DO NOT BALANCE (${lawText(law)})`}`).join(', '),
    ...(sign.badLines > 0 ? [`${count(sign.badLines)} bad lines`] : []),
    ...figures.health.problems,
  ].join(' | ')
}
