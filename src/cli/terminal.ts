// Where a command writes. Results go to the standard output, everything said beside them to the other: a pipe gets results alone.
// Colours and moving lines are for terminals.
import { styleText } from 'node:util'
import { systemClock, type Clock } from '../base/clock.ts'

/** One of the two outputs. */
export interface Output {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** What the environment may say. */
export interface Environment {
  readonly PAWL_STORE?: string | undefined
  readonly PAWL_APP?: string | undefined
  readonly PAWL_URL?: string | undefined
  readonly PAWL_TOKEN?: string | undefined
  /** Anything: no colours, see no-color.org. */
  readonly NO_COLOR?: string | undefined
  readonly TERM?: string | undefined
}

/** What a command line runs in. */
export interface Surroundings {
  readonly out: Output
  readonly err: Output
  readonly env: Environment
  /** Relative names of files are of this folder. */
  readonly cwd: string
}

/** The colours that are used, by what they mean. */
const STYLES = { good: 'green', bad: 'red', doubt: 'yellow', faint: 'gray', strong: 'bold' } as const
/** What a text means. */
export type Style = keyof typeof STYLES

/** Status and outcomes as they are coloured. */
const STYLE_OF: Readonly<Record<string, Style>> = {
  done: 'good',
  applied: 'good',
  stalled: 'bad',
  failed: 'bad',
  refused: 'bad',
  dead: 'bad',
  cancelled: 'doubt',
  late: 'doubt',
  ignored: 'doubt',
}

/** Time between two lines of progress where they cannot be written over. */
const LINE_EVERY_MS = 5_000
const REDRAW_EVERY_MS = 100
const CELL_MAX = 60

/** No control character of stored data reaches the terminal: it could write over what stands there, or set its title. */
export const plain = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '\u00b7')

const cut = (text: string): string => (text.length > CELL_MAX ? `${text.slice(0, CELL_MAX - 1)}…` : text)

/** A value in a line: text as it is, anything else as JSON. */
export const inLine = (value: unknown): string =>
  plain(typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value))

/** Writes for one command. */
export class Terminal {
  readonly isJson: boolean
  readonly #around: Surroundings
  readonly #clock: Clock
  readonly #colours: readonly [out: boolean, err: boolean]
  #progressAt = -Infinity
  #isLineOpen = false

  constructor(around: Surroundings, isJson: boolean, clock: Clock = systemClock) {
    this.#around = around
    this.isJson = isJson
    this.#clock = clock
    const may = (around.env.NO_COLOR ?? '') === '' && around.env.TERM !== 'dumb'
    this.#colours = [may && around.out.isTTY === true, may && around.err.isTTY === true]
    this.#progressAt = clock.monotonic()
  }

  /** Text in a colour; as it is where the output is no terminal. */
  styled(style: Style | undefined, text: string): string {
    return style !== undefined && this.#colours[0] ? styleText(STYLES[style], text, { validateStream: false }) : text
  }

  /** A status or an outcome in its colour. */
  word(word: string): string {
    return this.styled(STYLE_OF[word], plain(word))
  }

  /** A line of the result. */
  line(text = ''): void {
    this.clear()
    this.#around.out.write(`${text}\n`)
  }

  /** The result as one JSON document. */
  json(value: unknown): void {
    this.line(JSON.stringify(value, null, 2))
  }

  /** The result: as JSON where that was asked for, else as `write` says it. */
  result(value: unknown, write: () => void): void {
    if (this.isJson) this.json(value)
    else write()
  }

  /** Something that is said beside the result. */
  note(text: string, style?: Style): void {
    this.clear()
    const coloured =
      style !== undefined && this.#colours[1] ? styleText(STYLES[style], text, { validateStream: false }) : text
    this.#around.err.write(`${coloured}\n`)
  }

  /** Columns as wide as their widest cell. `words`: columns that hold a status. */
  table(head: readonly string[], rows: readonly (readonly string[])[], words: readonly number[] = []): void {
    const cells = rows.map((row) => row.map((cell) => cut(cell)))
    const widths = head.map((title, i) => cells.reduce((w, row) => Math.max(w, (row[i] ?? '').length), title.length))
    const padded = (row: readonly string[]): string[] => row.map((cell, i) => cell.padEnd(widths[i] ?? 0))
    this.line(this.styled('faint', padded(head).join('  ').trimEnd()))
    for (const row of cells)
      this.line(
        padded(row)
          .map((cell, i) => (words.includes(i) ? this.styled(STYLE_OF[cell.trim()], cell) : cell))
          .join('  ')
          .trimEnd(),
      )
  }

  /** How far something long has come: one line that moves on a terminal, a line now and then elsewhere. */
  progress(text: string): void {
    const now = this.#clock.monotonic()
    const moves = this.#around.err.isTTY === true
    if (now - this.#progressAt < (moves ? REDRAW_EVERY_MS : LINE_EVERY_MS)) return
    this.#progressAt = now
    if (moves) {
      this.#around.err.write(`\r\u001b[K${plain(text)}`)
      this.#isLineOpen = true
    } else this.#around.err.write(`${plain(text)}\n`)
  }

  /** Takes the line of progress away. */
  clear(): void {
    if (this.#isLineOpen) this.#around.err.write('\r\u001b[K')
    this.#isLineOpen = false
  }
}
