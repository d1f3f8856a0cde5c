// Power loss, as near as one comes without cutting any: what the file and its log are at some moment of a running load, without the
// shared memory, and with a log that ends anywhere.
//
//   whole     the log as it was: every acknowledged errand is there, and from there all comes to its end
//   torn      the same with bytes behind it that never became a commit: zeros, noise, a frame of before
//   cut       the log ends at any byte: a disk that forgot what came after. It opens, both laws balance, and what it holds is the
//             beginning of what was: each journal the beginning of the final one, and a longer log never holds less
//
// A log that was cut below what a checkpoint has put into the file is none that a disk leaves; so the load here stays below one.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { seededRandom, type SeededRandom } from 'pawl/testing'
import { sqliteStore } from '../../src/store/sqlite/store.ts'
import { balanced } from '../../src/testing/store/laws.ts'
import { Tally, type FaultOptions, type Outcome } from './outcome.ts'
import { errands, Site } from './site.ts'

const ERRANDS = 24
const GAP_MS = 30
const SHAPES = ['whole', 'zeros', 'noise', 'twice'] as const
const TAIL_BYTES = 5_000
/** Pages that SQLite gathers in the log before it checkpoints (src/store/sqlite/file.ts). */
const CHECKPOINT_BYTES = 4_000 * 4_096
const MACHINES = ['errand', 'echo']

/** The files at one moment, and what had been acknowledged by then. */
interface Image {
  readonly folder: string
  readonly placed: readonly string[]
  readonly nudged: readonly string[]
  readonly logBytes: number
}

type Journals = ReadonlyMap<string, readonly string[]>

const dbOf = (folder: string): string => join(folder, 'errands.db')

/** Copies the store of a worker that stands still, and then the outside's book. */
function takeImage(site: Site, folder: string): Image {
  mkdirSync(folder)
  for (const suffix of ['', '-wal']) copyFileSync(`${site.db}${suffix}`, `${dbOf(folder)}${suffix}`)
  const book = new DatabaseSync(site.book, { readOnly: true, timeout: 10_000 })
  book.prepare('vacuum into ?').run(join(folder, 'book.db'))
  book.close()
  const logBytes = statSync(`${dbOf(folder)}-wal`).size
  return { folder, placed: [...site.placed], nudged: [...site.nudged], logBytes }
}

/** The journals of a store's file, as text; throws where a law does not balance. */
async function readJournals(folder: string): Promise<Journals> {
  const store = sqliteStore(dbOf(folder))
  await store.open({})
  try {
    await balanced(store)
    const journals = new Map<string, readonly string[]>()
    for (const machine of MACHINES) {
      for (const status of ['running', 'waiting', 'stalled', 'done', 'failed', 'cancelled'] as const) {
        const { items } = await store.list({ machine, status, limit: 1_000 })
        for (const { k, id } of items) {
          const rows = await store.journal(k, 0, 1_000)
          journals.set(
            `${machine} ${id}`,
            rows.map(({ seq, at, from, to, cause }) => JSON.stringify([seq, at, from, to, cause])),
          )
        }
      }
    }
    return journals
  } finally {
    await store.close()
  }
}

/** What one holds that the other, later one does not. */
function notIn(earlier: Journals, later: Journals): string[] {
  return [...earlier].flatMap(([name, rows]) => {
    const all = later.get(name) ?? []
    return rows.every((row, i) => row === all[i]) ? [] : [`${name}: ${rows.at(-1)} is not in what came later`]
  })
}

/** A copy of an image whose log is another. */
function withLog(image: Image, folder: string, log: (bytes: Buffer) => Buffer): string {
  mkdirSync(folder)
  copyFileSync(dbOf(image.folder), dbOf(folder))
  copyFileSync(join(image.folder, 'book.db'), join(folder, 'book.db'))
  writeFileSync(`${dbOf(folder)}-wal`, log(readFileSync(`${dbOf(image.folder)}-wal`)))
  return folder
}

const tail = (shape: (typeof SHAPES)[number], bytes: Buffer, random: SeededRandom): Buffer => {
  if (shape === 'whole') return bytes
  if (shape === 'zeros') return Buffer.concat([bytes, Buffer.alloc(TAIL_BYTES)])
  if (shape === 'noise') return Buffer.concat([bytes, Buffer.from(random.bytes(TAIL_BYTES))])
  return Buffer.concat([bytes, bytes.subarray(-TAIL_BYTES)])
}

/** One load, images of it, and what becomes of them. */
class PowerLoss {
  readonly #o: FaultOptions
  readonly #folder: string
  readonly #random: SeededRandom
  readonly #whole: Tally
  readonly #cut: Tally
  #images: Image[] = []

  constructor(o: FaultOptions) {
    this.#o = o
    this.#folder = mkdtempSync(join(o.folder, 'power-'))
    this.#random = seededRandom(o.seed)
    this.#whole = new Tally('power loss, the log whole or torn', 'F30', o.log)
    this.#cut = new Tally('power loss, the log cut', 'F30', o.log)
  }

  async run(): Promise<Outcome[]> {
    await this.#load(this.#o.thorough ? 6 : 1)
    const final = await readJournals(join(this.#folder, 'site'))
    for (const [i, image] of this.#images.entries()) {
      for (const shape of this.#o.thorough ? SHAPES : [this.#random.pick(SHAPES)]) await this.#resume(image, shape, i)
      await this.#cuts(image, final, this.#o.thorough ? 60 : 8, i)
    }
    return [this.#whole.outcome(), this.#cut.outcome()]
  }

  async #load(images: number): Promise<void> {
    const site = new Site({ folder: join(this.#folder, 'site'), ids: errands(ERRANDS) })
    const life = await site.start({ gapMs: GAP_MS })
    const moments = Array.from({ length: images }, () => 2 + this.#random.int(ERRANDS - 2)).toSorted((a, b) => a - b)
    for (const [i, n] of moments.entries()) {
      await life.hears(`${this.#random.pick(['placed', 'nudged'])} e-${n}`)
      life.child.kill('SIGSTOP')
      this.#images.push(takeImage(site, join(this.#folder, `image-${i}`)))
      life.child.kill('SIGCONT')
    }
    const how = await life.ended
    await site.close()
    if (how !== 'finished') this.#whole.add('the load', [`it ${how}`])
  }

  /** Whatever was acknowledged is there, and from there all comes to its end. */
  async #resume(image: Image, shape: (typeof SHAPES)[number], i: number): Promise<void> {
    const folder = withLog(image, join(this.#folder, `resumed-${i}-${shape}`), (bytes) =>
      tail(shape, bytes, this.#random),
    )
    const site = new Site({ folder, ids: errands(ERRANDS) }).heard(image.placed, image.nudged)
    await site.settle()
    await site.close()
    this.#whole.add(`image ${i}, ${shape}, ${image.placed.length} errands acknowledged`, site.faults)
  }

  async #cuts(image: Image, final: Journals, count: number, i: number): Promise<void> {
    if (image.logBytes > CHECKPOINT_BYTES) throw new Error('the load was too much: there may have been a checkpoint')
    const lengths = Array.from({ length: count }, () => this.#random.int(image.logBytes + 1)).toSorted((a, b) => a - b)
    let before: Journals = new Map()
    for (const [j, length] of lengths.entries()) {
      const folder = withLog(image, join(this.#folder, `cut-${i}-${j}`), (bytes) => bytes.subarray(0, length))
      const faults: string[] = []
      try {
        const journals = await readJournals(folder)
        faults.push(...notIn(journals, final), ...notIn(before, journals))
        before = journals
        this.#cut.count(
          'rows found',
          [...journals.values()].reduce((sum, rows) => sum + rows.length, 0),
        )
      } catch (error) {
        faults.push(error instanceof Error ? error.message : String(error))
      }
      this.#cut.add(`image ${i}, ${length} of ${image.logBytes} bytes`, faults)
    }
  }
}

/** Takes images of a running load, and goes on from them. */
export const powerLoss = (o: FaultOptions): Promise<Outcome[]> => new PowerLoss(o).run()
