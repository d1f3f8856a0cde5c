// Where the time goes at full speed: a CPU profile of the thread that the engine runs on, and a digest of it.
//
// Shares are of the samples in which that thread did something. A function's share is its own time, without what it calls. A part's share is of the
// samples whose innermost frame of ours (or of the callers) is in that part: what SQLite does in a commit is the store's.
import { Session } from 'node:inspector/promises'
import type { Profiler } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver, withApp } from './app.ts'
import { drive, loadOf } from './callers.ts'
import { round, type Measured, type Row } from './row.ts'
import { Watch } from './watch.ts'
import { workOf } from './works.ts'

const INTERVAL_MICROS = 250
const TOP = 25
const root = fileURLToPath(new URL('..', import.meta.url))

/** By the first pattern that fits a file. What fits none belongs to whoever called it. */
const PARTS: readonly (readonly [part: string, file: RegExp])[] = [
  ['store', /^src\/store\//],
  ['transitions', /^src\/core\//],
  ['schemas', /node_modules\/zod\//],
  ['attempts', /^src\/engine\/attempt/],
  ['release', /^src\/engine\/(release|watch|tell|receipt|handle|client|app)\.ts$|^src\/observe\//],
  ['batch', /^src\/engine\//],
  ['callers', /^bench\//],
]
const BY_NAME: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'the runtime itself',
}

interface Place {
  readonly name: string
  readonly file: string
}

const placeOf = ({ callFrame: { functionName, url, lineNumber } }: Profiler.ProfileNode): Place => {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  const file = path.startsWith(root) ? path.slice(root.length) : path
  const anonymous = functionName === '' ? '(anonymous)' : functionName
  return { name: file === '' ? anonymous : `${anonymous} ${file}:${lineNumber + 1}`, file }
}

function partOf(stack: readonly Profiler.ProfileNode[]): string {
  const named = BY_NAME[stack[0]?.callFrame.functionName ?? '']
  if (named !== undefined) return named
  for (const node of stack) {
    const { file } = placeOf(node)
    const found = PARTS.find(([, pattern]) => pattern.test(file))
    if (found !== undefined) return found[0]
  }
  return 'the runtime itself'
}

/** Shares by name, the greatest first. */
type Shares = readonly (readonly [name: string, share: number])[]

const add = (sums: Map<string, number>, name: string, micros: number): void => {
  sums.set(name, (sums.get(name) ?? 0) + micros)
}
const sharesOf = (sums: ReadonlyMap<string, number>, all: number): Shares =>
  [...sums].map(([name, micros]) => [name, micros / all] as const).toSorted((a, b) => b[1] - a[1])

/** The shares of functions, of our own among them, and of parts. */
export function digestOf(profile: Profiler.Profile): {
  readonly functions: Shares
  readonly ours: Shares
  readonly parts: Shares
} {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map<number, number>()
  for (const { id, children = [] } of profile.nodes) for (const child of children) parents.set(child, id)
  const functions = new Map<string, number>()
  const ours = new Map<string, number>()
  const parts = new Map<string, number>()
  let all = 0
  for (const [i, id] of (profile.samples ?? []).entries()) {
    const stack: Profiler.ProfileNode[] = []
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) stack.push(nodes.get(at)!)
    const [leaf] = stack
    const micros = profile.timeDeltas?.[i] ?? 0
    if (leaf === undefined || leaf.callFrame.functionName === '(idle)') continue
    const { name, file } = placeOf(leaf)
    all += micros
    add(functions, name, micros)
    if (file.startsWith('src/')) add(ours, name, micros)
    add(parts, partOf(stack), micros)
  }
  return { functions: sharesOf(functions, all), ours: sharesOf(ours, all), parts: sharesOf(parts, all) }
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
/** As the formatter of the repository lays tables out. */
function tableOf(title: string, shares: Shares): string[] {
  const rows = shares.map(([name, share]) => [`\`${name}\``, percent(share)] as const)
  const wide = Math.max(title.length, ...rows.map(([name]) => name.length))
  const shareWide = Math.max('share'.length, ...rows.map(([, share]) => share.length))
  return [
    `| ${title.padEnd(wide)} | ${'share'.padStart(shareWide)} |`,
    `| ${'-'.repeat(wide)} | ${'-'.repeat(shareWide - 1)}: |`,
    ...rows.map(([name, share]) => `| ${name.padEnd(wide)} | ${share.padStart(shareWide)} |`),
    '',
  ]
}

/** Measures one row. The notes are the digest, in Markdown. */
export async function measure(row: Row): Promise<Measured> {
  const work = workOf(row.work)
  const watch = new Watch(row.path)
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROS })
  let stopped: Promise<{ readonly profile: Profiler.Profile }> | undefined
  const begin = (): void => {
    watch.begin()
    void session.post('Profiler.start')
  }
  const end = (): void => {
    stopped = session.post('Profiler.stop')
    watch.end()
  }
  const driven = await withApp(appOver(sqliteStore(row.path), work.machines), (app) =>
    drive(app, work, loadOf(row, { begin, end })),
  )
  const profiled = await stopped
  session.disconnect()
  if (profiled === undefined) throw new Error('nothing was profiled')
  const { functions, ours, parts } = digestOf(profiled.profile)
  return {
    figures: {
      finishedPerSec: round(driven.finished / (driven.ms / 1_000), 1),
      cpuMsPerProcess: watch.costs(driven.finished)['cpuMsPerProcess'] ?? null,
      ownFunctionMaxPercent: round((ours[0]?.[1] ?? 0) * 100, 1),
      ...Object.fromEntries(parts.map(([name, share]) => [`${name} %`, round(share * 100, 1)])),
    },
    notes: [...tableOf('part', parts), ...tableOf('function, its own time', functions.slice(0, TOP))],
  }
}
