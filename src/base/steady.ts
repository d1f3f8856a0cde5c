// Time made of a clock that may jump: what timers, leases and stamps can go by.
//
// It goes on by the monotonic clock, and follows the readings of the other one:
//
//   reading ahead by an hour at most ──▶ taken at once (a correction, a short sleep)
//   reading ahead by more            ──▶ a jump; taken once it has stood for a minute: an accident of NTP must not fire a year of timers
//   reading behind                   ──▶ time never goes back and never stands still: it goes on at nine tenths of its pace until they meet
//
// T1  What is handed out never goes down.
// T2  Whatever the readings do, it moves on by nine tenths of what the monotonic clock measures, at least.
// T3  A jump that goes away again within the minute leaves no trace.

const JUMP_MS = 3_600_000
const BELIEVED_AFTER_MS = 60_000
/** How much is held back of each ms while the reading is behind: half an hour is made up in five hours, and a minute lasts 66 seconds. */
const SLOWING = 0.1
/** Behind by less is daily business. */
const TOLD_MS = 60_000

const minutes = (ms: number): string => {
  const all = Math.round(ms / 60_000)
  return all < 120
    ? `${all} minutes`
    : all < 2 * 1_440
      ? `${Math.round(all / 60)} hours`
      : `${Math.round(all / 1_440)} days`
}

/** Steady time. Its caller reads both clocks. */
export class SteadyTime {
  #time: number
  #at: number
  /** How far the readings are behind. */
  #lead = 0
  #jump: { readonly since: number; readonly ms: number } | undefined

  /** Begins with a time that was known at this moment of the monotonic clock (both in ms). */
  constructor(time: number, monotonic: number) {
    this.#time = time
    this.#at = monotonic
  }

  /** The time, in ms since 1970, at a moment of the monotonic clock that is not before the last one. Whole. */
  at(monotonic: number): number {
    const elapsed = Math.max(0, monotonic - this.#at)
    return Math.floor(this.#time + elapsed - Math.min(this.#lead, elapsed * SLOWING))
  }

  /** Hears what the clock that may jump says at that moment, and answers the time. */
  read(reading: number, monotonic: number): number {
    this.#pass(monotonic)
    const ahead = reading - this.#time
    if (this.#isDoubtful(ahead, monotonic)) this.#lead = 0
    else if (ahead >= 0) this.#set(reading, 0)
    else this.#lead = -ahead
    return this.at(monotonic)
  }

  /** Hears a time that is steady already, and what the clock says that it follows. */
  follow(time: number, reading: number, monotonic: number): void {
    this.#at = monotonic
    this.#set(time, Math.max(0, time - reading))
    this.#jump = reading - time > JUMP_MS ? { since: monotonic, ms: reading - time } : undefined
  }

  /** A jump is not believed yet: timers go by the old time. */
  get doubts(): boolean {
    return this.#jump !== undefined
  }

  /** What is wrong with the clock, in words. */
  get problem(): string | undefined {
    if (this.#jump !== undefined)
      return 'the clock jumped by more than an hour; timers go on by the old time until it has persisted for a minute'
    if (this.#lead < TOLD_MS) return undefined
    return `the clock went back: it is ${minutes(this.#lead)} behind the time of the store, which goes on more slowly until they meet; set the clock right`
  }

  #set(time: number, lead: number): void {
    this.#time = time
    this.#lead = lead
  }

  #pass(monotonic: number): void {
    const elapsed = Math.max(0, monotonic - this.#at)
    const held = Math.min(this.#lead, elapsed * SLOWING)
    this.#time += elapsed - held
    this.#at = Math.max(this.#at, monotonic)
  }

  /** Another jump on top of one begins its minute anew. */
  #isDoubtful(ahead: number, monotonic: number): boolean {
    if (ahead <= JUMP_MS) {
      this.#jump = undefined
      return false
    }
    if (this.#jump === undefined || Math.abs(ahead - this.#jump.ms) > JUMP_MS)
      this.#jump = { since: monotonic, ms: ahead }
    if (monotonic - this.#jump.since < BELIEVED_AFTER_MS) return true
    this.#jump = undefined
    return false
  }
}
