// One attempt as its body sees it, and what its body did as an outcome.
import { errorText, PawlError } from '../base/errors.ts'
import { freezeJson } from '../base/json.ts'
import { checkSize } from '../base/size.ts'
import { isPromise } from '../base/promise.ts'
import type { ResultInput } from '../core/model.ts'
import type { ActivityBody, AttemptContext } from '../machine/definition.ts'
import type { AttemptOf } from './attempt-of.ts'
import type { Alarm } from './wheel.ts'

/** A declared failure on its way out of the body. */
class DeclaredFailure extends Error {
  readonly code: string
  readonly details: unknown
  // oxlint-disable-next-line no-unused-private-class-members -- `#brand in` asks for it
  readonly #brand = true
  constructor(code: string, message: string, details: unknown) {
    super(errorText(message))
    this.name = 'DeclaredFailure'
    this.code = errorText(code)
    this.details = details
  }

  /** Not by `instanceof`: that asks what was thrown for its prototype, and a proxy may throw then. */
  static is(thrown: unknown): thrown is DeclaredFailure {
    return typeof thrown === 'object' && thrown !== null && #brand in thrown
  }
}

/** One attempt, as its body sees it. The AbortController is made only when somebody asks: most bodies never do. */
export class Attempt implements AttemptContext {
  readonly idempotencyKey: string
  readonly attempt: number
  readonly lastProgress?: unknown
  readonly startedAt: number
  #controller: AbortController | undefined
  #aborted: string | undefined
  /** Told already: what it answers later counts only where it is a success. */
  over = false
  timeout: Alarm | undefined
  silence: Alarm | undefined
  progressAt = -Infinity
  heartbeat: (this: void, progress?: unknown) => void = () => undefined

  constructor(of: AttemptOf, lastProgress: unknown, startedAt: number) {
    this.idempotencyKey = of.key
    this.attempt = of.attempt
    this.startedAt = startedAt
    if (lastProgress !== undefined) this.lastProgress = lastProgress
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted !== undefined && !this.#controller.signal.aborted)
      this.#controller.abort(new PawlError('ABORTED', this.#aborted))
    return this.#controller.signal
  }

  abort(why: string): void {
    this.#aborted ??= why
    if (this.#controller !== undefined && !this.#controller.signal.aborted)
      this.#controller.abort(new PawlError('ABORTED', why))
  }

  fail(this: void, code: string, message?: string, details?: unknown): never {
    throw new DeclaredFailure(code, message ?? code, details)
  }
}

type Did = ResultInput['outcome']

/** Runs the body; whatever it does becomes an outcome: at once where the body did not wait for anything. */
export function runBody(body: ActivityBody | undefined, input: unknown, view: Attempt): Did | Promise<Did> {
  if (body === undefined)
    return { kind: 'unknown', message: 'this worker has no body for it: give a service its `implement`' }
  try {
    const answer = body(input, view)
    return isPromise(answer) ? Promise.resolve(answer).then(done).catch(failed) : done(answer)
  } catch (error) {
    return failed(error)
  }
}

/** Throws what is wrong with it. */
const done = (output: unknown): Did => ({
  kind: 'done',
  output: checkSize(freezeJson(output, 'the output'), 'the output'),
})

const failed = (error: unknown): Did =>
  DeclaredFailure.is(error) ? declared(error) : { kind: 'unknown', message: errorText(error) }

function declared({ code, message, details }: DeclaredFailure): ResultInput['outcome'] {
  try {
    return {
      kind: 'failure',
      code,
      message,
      ...(details !== undefined && { details: checkSize(freezeJson(details, 'they'), 'they') }),
    }
  } catch (error) {
    return { kind: 'failure', code, message: `${message} (its details are left out: ${errorText(error)})` }
  }
}
