// Which attempt of which call of which instance.

/** What an attempt belongs to. */
export interface AttemptOf {
  readonly box: string
  readonly machine: string
  readonly id: string
  readonly seq: number
  readonly call: string
  readonly key: string
  readonly activity: string
  readonly attempt: number
}
