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
  readonly activity: string
  readonly attempt: number
}

/** Whether two attempts are of one call. A key of the user's may be that of other calls too. */
export const isSameCall = (one: AttemptOf, other: AttemptOf): boolean =>
  one.box === other.box && one.call === other.call && one.entry === other.entry && one.key === other.key
