// How results are told: a line for each figure, with its aim beside it; or one JSON object for each row.
import { writeFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { meets, type Aim, type Aims } from './row.ts'
import type { Result } from './runner.ts'

const said = (value: number | null | undefined): string =>
  value?.toLocaleString('en', { maximumFractionDigits: 4 }) ?? '–'

const aimText = ({ atMost, atLeast }: Aim): string =>
  atMost === undefined ? `≥ ${said(atLeast)}` : `≤ ${said(atMost)}`

/** One figure, its spread, its aim, and whether it meets that. */
function line(name: string, { figures, spread }: Result, aims: Aims): string {
  const value = figures[name]
  const range = spread[name] === undefined ? '' : `(${said(spread[name][0])} to ${said(spread[name][1])})`
  const aim = aims[name]
  const verdict =
    aim === undefined || value === undefined || value === null
      ? ''
      : `${aimText(aim).padEnd(12)}${meets(value, aim) ? 'ok' : 'short'}`
  return `  ${name.padEnd(26)}${said(value).padStart(14)}  ${range.padEnd(28)}${verdict}`.trimEnd()
}

/** For people. `aims` may name a figure that this row does not have. */
export function textOf(question: string, result: Result, aims: Aims): string {
  const { row, figures, notes } = result
  const heading = `${question}: ${row.label}; ${row.store}, ${row.ids} ids, beside ${said(row.preload)} finished`
  return [
    heading,
    ...Object.keys(figures).map((name) => line(name, result, aims)),
    ...notes.map((note) => `  ${note}`),
  ].join('\n')
}

/** For programs. `aims`: of each figure that has one, what it is to be and whether it is. */
export function jsonOf(question: string, { row, figures, spread, notes }: Result, aims: Aims): string {
  const { label, work, store, inFlight, ids, preload, count } = row
  const met = Object.entries(aims).flatMap(([name, aim]) => {
    const value = figures[name]
    return value === undefined || value === null ? [] : [[name, { ...aim, met: meets(value, aim) }] as const]
  })
  const about = { question, label, work, store, inFlight, ids, preload, count }
  return JSON.stringify({ ...about, ...figures, spread, aims: Object.fromEntries(met), notes })
}

/** The machine, in words. */
const machineText = (): string =>
  `${cpus().length} × ${cpus()[0]?.model ?? arch()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()} ${release()}, Node ${process.version}`

/** Keeps the digest of a profile beside the bench. */
export function keepProfile({ row, figures, notes }: Result): void {
  const path = fileURLToPath(new URL('profile.md', import.meta.url))
  const most = figures['ownFunctionMaxPercent'] ?? 0
  writeFileSync(
    path,
    [
      '# Where the time goes',
      '',
      'Written by `npm run bench -- --profile`: the thread that the engine runs on, at full speed. Shares are of the time in which it worked; what a',
      "part's own thread does beside it is not in them.",
      '',
      `${said(row.inFlight)} checkouts in flight beside ${said(row.preload)} finished ones, ${row.seconds} s: ${said(figures['finishedPerSec'])}/s.`,
      `${machineText()}.`,
      '',
      `The greatest share of one function of ours: ${most} % (aim: 15 %, ${most <= 15 ? 'ok' : 'short'}).`,
      '',
      ...notes,
    ].join('\n'),
  )
}
