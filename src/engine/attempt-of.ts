// Which attempt of which call of which instance.

/** What an attempt belongs to. */
export interface AttemptOf {
  readonly box: string
  readonly machine: string
  readonly id: string
  readonly seq: number
  readonly call: string
  readonly key: string
  /** The transition that opened the call. */
  readonly entry: number | undefined
  /** What all attempts of the call have in common, and no other call in this worker. */
  readonly ref: string
  readonly activity: string
  readonly attempt: number
}
