// Runs rows: each in a process of its own, on a copy of its own, as often as is asked for; answers medians and how far the runs lie apart.
import { fork } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomUUID } from 'node:crypto'
import { UsageError, type Options } from './options.ts'
import { preloaded, removeFile } from './preload.ts'
import type { Figures, Measured, Row } from './row.ts'

/** What a row came to. */
export interface Result {
  readonly row: Row
  /** Medians. */
  readonly figures: Figures
  /** The least and the most, of figures that differ between the runs. */
  readonly spread: Readonly<Record<string, readonly [least: number, most: number]>>
  /** Of the last run. */
  readonly notes: readonly string[]
}

/** What one leaves in memory is no figure of the next. `kills`: it is killed as soon as it has answered. */
function inOwnProcess(row: Row, kills = false): Promise<Measured> {
  return new Promise((done, fail) => {
    const child = fork(fileURLToPath(new URL('measure.ts', import.meta.url)))
    let measured: Measured | undefined
    child.once('message', (answer: Measured) => {
      measured = answer
      if (kills) child.kill('SIGKILL')
    })
    child.once('error', fail)
    child.once('exit', (code, signal) => {
      if (measured === undefined) fail(new Error(`the measuring process ended with ${code ?? signal}`))
      else done(measured)
    })
    child.send(row)
  })
}

/** A copy that is on the disk: what is still to be written would be measured with the first row. */
function copied(from: string, to: string): void {
  copyFileSync(from, to)
  const file = openSync(to, 'r+')
  fsyncSync(file)
  closeSync(file)
}

/** Where a row works. */
function workPath(o: Options, source: string): string {
  const path = o.store.startsWith('sqlite:')
    ? resolve(o.store.slice('sqlite:'.length))
    : join(dirname(source), `run-${randomUUID()}.db`)
  if (existsSync(path)) throw new UsageError(`--store ${o.store}: that file exists, and the bench overwrites nothing`)
  return path
}

/** One run, on a copy of its own: names are indexed in the order of their numbers, which the raw store's rows would disturb. */
async function once(row: Row, o: Options): Promise<Measured> {
  if (row.store === 'memory' || row.kind === 'core') return inOwnProcess(row)
  const source = await preloaded(row, (done) => {
    if (done % 50_000 === 0 || done === row.preload)
      console.error(`making ${row.preload} finished instances, once: ${done}`)
  })
  const path = workPath(o, source)
  try {
    copied(source, path)
    if (row.kind === 'startup') await inOwnProcess({ ...row, kind: 'leave', path }, true)
    return await inOwnProcess({ ...row, path })
  } finally {
    removeFile(path)
  }
}

function medianOf(values: readonly (number | null)[]): number | null {
  const numbers = values.filter((value) => value !== null).toSorted((a, b) => a - b)
  return numbers[numbers.length >> 1] ?? null
}

/** Runs a row. */
export async function run(row: Row, o: Options): Promise<Result> {
  const runs: Measured[] = []
  for (let n = 0; n < o.runs; n++) runs.push(await once(row, o))
  const last = runs.at(-1)
  if (last === undefined) throw new Error('there was no run')
  const figures: Record<string, number | null> = {}
  const spread: Record<string, readonly [number, number]> = {}
  for (const name of Object.keys(last.figures)) {
    const values = runs.map((one) => one.figures[name] ?? null)
    figures[name] = medianOf(values)
    const numbers = values.filter((value) => value !== null)
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)]
    if (numbers.length > 1 && least !== most) spread[name] = [least, most]
  }
  return { row, figures, spread, notes: last.notes }
}
