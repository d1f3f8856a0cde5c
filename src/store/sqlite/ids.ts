// Finds instances by what users call them: machine and id.
//
// Ids are random, so an index on them costs a page of its own for every new instance: with a million in the file that was half of
// all that a checkout wrote (bench/raw.ts: 9,000 checkouts/s with a unique index, 15,000 with this). So names are indexed late and
// in bulk: those of the newest instances are known in memory; once there are enough of them, they are written to `pawl_ids` in the
// order of their hash, a slice with every commit, several to a page.
//
// I1  Every instance with `k` up to the mark in the file is in `pawl_ids`; those above it are read at the start.
// I2  A name is in memory, or in `pawl_ids`, or nobody's; while a generation is being written, a part of it is in both.
// I3  A name that is known to be nobody's stops being that as soon as it is added, whatever becomes of the transaction.
// I4  What a commit has added here is taken back if that commit is rolled back.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import type { Tape } from './tape.ts'

// Twice as many are in memory at most, and are read at a start (0.1 s). More would fill pages better: 4 names a page with a million
// instances, and the gain from 8 was within the noise.
const GENERATION = 32_768
/** Names that a commit writes for each one that it adds: above 1, so that a generation is written before the next is full. */
const PACE = 2
/** Names that are known to be nobody's, at most. */
const ABSENT_MAX = 4_096

interface Name {
  readonly hash: number
  readonly k: number
  readonly key: string
}

/** Names that are being written. */
interface Generation {
  readonly names: readonly Name[]
  /** Instances up to this `k` that come now are written at once: at a start they would be looked for in the table. */
  readonly upTo: number
  /** How many are written. */
  done: number
}

/** What a rollback takes back. */
interface Undo {
  readonly added: string[]
  readonly removed: (readonly [key: string, k: number])[]
  readonly generation: Generation | undefined
  readonly done: number
}

const keyOf = (machine: number, id: string): string => `${machine} ${id}`

/** Names and the keys of their instances. */
export class Ids {
  readonly #generationSize: number
  readonly #seeds: readonly [number, number]
  readonly #find: StatementSync
  readonly #delete: StatementSync
  readonly #recent = new Map<string, number>()
  /** Names that were looked for and are nobody's: whoever creates an instance has looked for it just before. */
  readonly #absent = new Set<string>()
  #upTo: number
  #generation: Generation | undefined
  #undo: Undo | undefined

  /** `secret`: 16 hexadecimal digits at least; keeps outsiders from choosing ids whose hashes meet. Never changes for one file. */
  constructor(db: DatabaseSync, secret: string, generationSize = GENERATION) {
    this.#generationSize = generationSize
    this.#seeds = [parseInt(secret.slice(0, 8), 16) | 0, parseInt(secret.slice(8, 16), 16) | 0]
    this.#find = db.prepare(
      'select i.k from pawl_ids d join pawl_instances i on i.k = d.k where d.hash = ? and i.id = ? and i.machine = ?',
    )
    this.#delete = db.prepare('delete from pawl_ids where hash = ? and k = ?')
    this.#upTo = Number(db.prepare("select value from pawl_meta where name = 'ids'").get()?.['value'] ?? 0)
    for (const row of db.prepare('select k, machine, id from pawl_instances where k > ?').iterate(this.#upTo))
      this.#recent.set(keyOf(row['machine'] as number, row['id'] as string), row['k'] as number)
  }

  /** The instance of that name, or undefined. */
  find(machine: number, id: string): number | undefined {
    const key = keyOf(machine, id)
    const k = this.#recent.get(key) ?? this.#stored(machine, id)
    if (k === undefined) {
      if (this.#absent.size >= ABSENT_MAX) this.#absent.clear()
      this.#absent.add(key)
    }
    return k
  }

  #stored(machine: number, id: string): number | undefined {
    return this.#find.get(this.#hash(machine, id), id, machine)?.['k'] as number | undefined
  }

  /** A new instance, in the transaction of the tape. Throws PawlError `DUPLICATE_ROW` for a name that is taken. */
  add(machine: number, id: string, k: number, tape: Tape): void {
    const key = keyOf(machine, id)
    const absent = this.#absent.delete(key)
    if (!absent && (this.#recent.has(key) || this.#stored(machine, id) !== undefined))
      throw new PawlError('DUPLICATE_ROW', `the name of instance ${k} (${id}) belongs to another one already`)
    if (k <= (this.#generation?.upTo ?? this.#upTo)) {
      tape.put('id', this.#hash(machine, id), k)
    } else {
      this.#changes().added.push(key)
      this.#recent.set(key, k)
    }
    if (this.#generation === undefined && this.#recent.size >= this.#generationSize) this.#begin()
    if (this.#generation !== undefined) this.#writeSome(this.#generation, tape)
  }

  /** An instance goes, inside a transaction. Its row must go in the same one. */
  remove(machine: number, id: string, k: number): void {
    const key = keyOf(machine, id)
    if (this.#recent.delete(key)) this.#changes().removed.push([key, k])
    this.#delete.run(this.#hash(machine, id), k)
  }

  /** The transaction under way is durable. */
  settled(): void {
    this.#undo = undefined
    const generation = this.#generation
    if (generation === undefined || generation.done < generation.names.length) return
    // A name that was removed meanwhile may have come again, with another k.
    for (const { key, k } of generation.names) if (this.#recent.get(key) === k) this.#recent.delete(key)
    this.#upTo = generation.upTo
    this.#generation = undefined
  }

  /** The transaction under way was rolled back. */
  forget(): void {
    const undo = this.#undo
    if (undo === undefined) return
    for (const key of undo.added) this.#recent.delete(key)
    for (const [key, k] of undo.removed) this.#recent.set(key, k)
    // Names that went in the transaction may have been looked for in it: they are somebody's again.
    this.#absent.clear()
    this.#generation = undo.generation
    if (undo.generation !== undefined) undo.generation.done = undo.done
    this.#undo = undefined
  }

  #changes(): Undo {
    return (this.#undo ??= { added: [], removed: [], generation: this.#generation, done: this.#generation?.done ?? 0 })
  }

  #begin(): void {
    this.#changes()
    let upTo = this.#upTo
    const names: Name[] = []
    for (const [key, k] of this.#recent) {
      const space = key.indexOf(' ')
      names.push({ hash: this.#hash(Number(key.slice(0, space)), key.slice(space + 1)), k, key })
      upTo = Math.max(upTo, k)
    }
    names.sort((a, b) => a.hash - b.hash)
    this.#generation = { names, upTo, done: 0 }
  }

  #writeSome(generation: Generation, tape: Tape): void {
    if (generation.done === generation.names.length) return
    this.#changes()
    const end = Math.min(generation.done + PACE, generation.names.length)
    for (; generation.done < end; generation.done++) {
      const { hash, k, key } = generation.names[generation.done]!
      // One that was removed meanwhile must not come back.
      if (this.#recent.get(key) === k) tape.put('id', hash, k)
    }
    if (generation.done === generation.names.length) tape.put('meta', 'ids', String(generation.upTo))
  }

  /** 48 bits: an INTEGER of 6 bytes, exact in JavaScript. Two lanes of a multiplicative hash, mixed at the end. */
  #hash(machine: number, id: string): number {
    let [a, b] = this.#seeds
    a ^= Math.imul(machine, 0x9e3779b1)
    for (let i = 0; i < id.length; i++) {
      const unit = id.charCodeAt(i)
      a = Math.imul(a ^ unit, 0x85ebca77)
      b = Math.imul(b ^ unit, 0xc2b2ae3d)
    }
    a = Math.imul(a ^ (a >>> 16), 0x735a2d97) ^ Math.imul(b ^ (b >>> 15), 0xcaf649a9)
    b = Math.imul(b ^ (b >>> 16), 0x735a2d97) ^ Math.imul(a ^ (a >>> 15), 0xcaf649a9)
    return (b >>> 0) * 65_536 + (a >>> 16)
  }
}
