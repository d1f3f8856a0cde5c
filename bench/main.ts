// npm run bench: how fast Pawl is, beside how fast the raw store takes the same rows on the same disk. It asserts nothing by time.
import { fork } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomUUID } from 'node:crypto'
import type { Figures, Row } from './measure.ts'
import { HELP, optionsOf, UsageError, type Options } from './options.ts'
import { preloaded, removeFile } from './preload.ts'

/** Each row in a process of its own: what one leaves in memory is no figure of the next. */
function inOwnProcess(row: Row): Promise<Figures> {
  return new Promise((done, fail) => {
    const child = fork(fileURLToPath(new URL('measure.ts', import.meta.url)))
    let figures: Figures | undefined
    child.once('message', (answer: { readonly figures: Figures }) => (figures = answer.figures))
    child.once('error', fail)
    child.once('exit', (code, signal) => {
      if (figures === undefined) fail(new Error(`the measuring process ended with ${code ?? signal}`))
      else done(figures)
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

/** The file with the finished instances; undefined for the store in memory. */
async function sourceFile(o: Options): Promise<string | undefined> {
  if (o.store === 'memory') return undefined
  return preloaded(o, (done) => {
    if (done % 50_000 === 0 || done === o.preload)
      console.error(`making ${o.preload} finished instances, once: ${done}`)
  })
}

/** Where a row works. */
function workPath(o: Options, source: string): string {
  const path = o.store.startsWith('sqlite:')
    ? resolve(o.store.slice('sqlite:'.length))
    : join(dirname(source), `run-${randomUUID()}.db`)
  if (existsSync(path)) throw new UsageError(`--store ${o.store}: that file exists, and the bench overwrites nothing`)
  return path
}

/** Measures one row on a copy of its own: names are indexed in the order of their numbers, which the raw store's rows would disturb. */
async function rowOf(o: Options, inFlight: number, source: string | undefined): Promise<Figures> {
  const { work, seconds, ids, preload } = o
  const row = { work, seconds, ids, preload, inFlight }
  if (source === undefined) return inOwnProcess({ ...row, store: 'memory', path: '' })
  const path = workPath(o, source)
  try {
    copied(source, path)
    return await inOwnProcess({ ...row, store: 'sqlite', path })
  } finally {
    removeFile(path)
  }
}

const COLUMNS = [
  ['in flight', 'inFlight'],
  ['finished/s', 'finishedPerSec'],
  ['p50 ms', 'p50Ms'],
  ['p99 ms', 'p99Ms'],
  ['cpu ms', 'cpuMsPerProcess'],
  ['bytes', 'storeBytesPerProcess'],
  ['rss MiB', 'rssMiB'],
  ['raw/s', 'rawPerSec'],
  ['ratio', 'ratioToRaw'],
  ['stall ms', 'loopStallMaxMs'],
] as const satisfies readonly (readonly [string, keyof Figures])[]
const WIDTH = 12

function heading(o: Options): string {
  const said = `${o.work} on ${o.store}, ${o.ids} ids, beside ${o.preload.toLocaleString('en')} finished instances; cpu and bytes are of one process`
  return `${said}\n${COLUMNS.map(([title]) => title.padStart(WIDTH)).join('')}`
}

const rowText = (figures: Figures): string =>
  COLUMNS.map(([, name]) => (figures[name]?.toLocaleString('en') ?? '–').padStart(WIDTH)).join('')

async function main(o: Options): Promise<void> {
  if (o.help) {
    console.log(HELP)
    return
  }
  const source = await sourceFile(o)
  if (!o.json) console.log(heading(o))
  for (const inFlight of o.inFlight) {
    const figures = await rowOf(o, inFlight, source)
    console.log(o.json ? JSON.stringify(figures) : rowText(figures))
  }
}

try {
  await main(optionsOf(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof Error)) throw error
  const usage = error instanceof UsageError
  console.error(usage ? `${error.message}\n\n${HELP}` : error.message)
  process.exitCode = usage ? 2 : 1
}
