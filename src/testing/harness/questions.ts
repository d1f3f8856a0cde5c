// What workers were asked and have not answered: none is waited for in vain without a word.
import { systemClock } from '../../base/clock.ts'
import { PawlError } from '../../base/errors.ts'

/** Of real time, in ms: so long nothing is awaited that could come without virtual time passing. */
const STILL_MS = 2_000

interface Question {
  readonly of: object
  readonly what: string
  readonly reject: (error: PawlError) => void
  unwatch: () => void
}

/** The questions of one harness. */
export class Questions {
  readonly #open = new Set<Question>()
  readonly #passedMs: () => number

  /** `passedMs`: how much virtual time has passed. */
  constructor(passedMs: () => number) {
    this.#passedMs = passedMs
  }

  /** Asks one life of a worker. Rejects with `CRASHED` where it dies before it has answered, with `NEEDS_TIME` where no time passes for so long. */
  ask<T>(of: object, what: string, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const question: Question = { of, what, reject, unwatch: () => undefined }
      this.#open.add(question)
      this.#watch(question)
      work().then(
        (answer) => this.#close(question) && resolve(answer),
        (error: unknown) => this.#close(question) && reject(error as Error),
      )
    })
  }

  /** What is not answered, in words. */
  get open(): readonly string[] {
    return [...this.#open].map(({ what }) => `${what} was asked, and is not answered`)
  }

  /** A life has ended. */
  died(of: object): void {
    for (const question of this.#open)
      if (question.of === of)
        this.#refuse(
          question,
          'CRASHED',
          `the worker crashed before it had answered ${question.what}: what was committed goes on; ask again`,
        )
  }

  /** Nobody answers any more. */
  end(): void {
    for (const question of this.#open) this.#close(question)
  }

  #close(question: Question): boolean {
    question.unwatch()
    return this.#open.delete(question)
  }

  #refuse(question: Question, code: string, text: string): void {
    if (this.#close(question)) question.reject(new PawlError(code, text))
  }

  /** Whoever awaits what needs time, and lets none pass, would wait for ever and not learn why. */
  #watch(question: Question): void {
    const passedMs = this.#passedMs()
    question.unwatch = systemClock.after(STILL_MS, () => {
      if (this.#passedMs() !== passedMs) this.#watch(question)
      else
        this.#refuse(
          question,
          'NEEDS_TIME',
          `${question.what} is awaited while time stands still, and nothing is ready: ask, then advance(…), and await behind it`,
        )
    })
  }
}
