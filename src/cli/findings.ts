// What the doctor finds.

/** How bad: a finding is a broken promise; a doubt may be the trace of a change that was allowed. */
export type Grade = 'finding' | 'doubt'

/** Of one rule: how often, and the first of them in words. */
export interface Rule {
  readonly rule: string
  readonly grade: Grade
  readonly says: string
  count: number
  readonly first: string[]
}

/** The name of a rule. */
export type RuleName =
  | 'file'
  | 'readable'
  | 'law-instances'
  | 'law-messages'
  | 'figures'
  | 'journal-gapless'
  | 'journal-path'
  | 'journal-agrees'
  | 'journal-events'
  | 'graph'
  | 'ids'
  | 'places'
  | 'condition'
  | 'due'
  | 'owners'
  | 'waiting'
  | 'log'
  | 'versions'

/** What each rule demands, and how bad it is where it does not hold. */
export const RULES: Readonly<Record<RuleName, readonly [Grade, string]>> = {
  file: ['finding', 'SQLite itself finds the file whole'],
  readable: ['finding', 'the text of every row can be read'],
  'law-instances': [
    'finding',
    'instances: started = running + waiting + stalled + done + failed + cancelled + removed, by recount',
  ],
  'law-messages': ['finding', 'messages: accepted = the sum of what became of them, by recount'],
  figures: ['finding', 'every counter is what the tables say'],
  'journal-gapless': ['finding', 'the sequence of a journal begins at 1 and has no gap'],
  'journal-path': ['finding', 'every row of a journal begins where the one before has ended'],
  'journal-agrees': ['finding', 'state, number and data of an instance are what its journal leads to'],
  'journal-events': ['finding', 'every event that a journal names is in the log'],
  graph: ['doubt', 'every step is an edge of a graph that is known; one under the same version may have changed since'],
  ids: ['finding', 'every instance is found by its name, and no name belongs to two'],
  places: ['finding', 'an instance lies in the partition that its id hashes to'],
  condition: ['finding', 'what has ended waits for nothing; what stalls says why; what calls is marked so'],
  due: ['finding', 'what has a timer falls due no later than that'],
  owners: ['finding', 'rows of the journal, of lives, children and waiting messages belong to an instance'],
  waiting: ['finding', 'a message that waits for its instance waits under its own name, and not for one that is there'],
  log: ['finding', 'the offsets of a partition have no doubles, and none lies beyond its head'],
  versions: ['finding', 'the graph of every living instance is known'],
}

const FIRST = 5

/** Gathers what is found, rule by rule. */
export class Findings {
  readonly #rules = new Map<RuleName, Rule>()

  /** Something is not as `rule` demands. */
  add(rule: RuleName, text: string, count = 1): void {
    let found = this.#rules.get(rule)
    if (found === undefined) {
      const [grade, says] = RULES[rule]
      this.#rules.set(rule, (found = { rule, grade, says, count: 0, first: [] }))
    }
    found.count += count
    if (found.first.length < FIRST) found.first.push(text)
  }

  /** Adds where `holds` is false. */
  check(holds: boolean, rule: RuleName, text: () => string): void {
    if (!holds) this.add(rule, text())
  }

  get rules(): readonly Rule[] {
    return [...this.#rules.values()]
  }
}
