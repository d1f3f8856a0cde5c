// What is promised, and where each promise is checked. The words are those of ARCHITECTURE.md; the rest of docs/guarantees.md is made
// of records of runs.

/** One promise. */
export interface Promised {
  readonly id: string
  readonly words: string
  /** Where it is checked: files with what each looks at. */
  readonly checks: readonly (readonly [file: string, what: string])[]
}

const SIMULATION = 'src/testing/simulation'

/** All of them. */
export const promises: readonly Promised[] = [
  {
    id: 'I1',
    words: 'A transition, its data, journal row, events, timers and call intents commit together or not at all.',
    checks: [
      [
        `${SIMULATION}/paths.ts`,
        'each commit: the row, the data and the state that the journal tells are those of the instance',
      ],
      [`${SIMULATION}/order.ts`, 'each commit: the events that a row of the journal names are in the log'],
      ['src/testing/store/commit-cases.ts', 'every store: one row at fault, and nothing of the change is written'],
      ['test/crash/driver.ts', 'real processes, killed at any moment, read back row by row'],
    ],
  },
  {
    id: 'I2',
    words:
      '`instances`, `journal`, `events` and positions are written only by the owner, under a lock that a take-over must wait for. Anybody may append to the inbox; rows leave it only in the commit that decides about them.',
    checks: [
      [
        `${SIMULATION}/invariants.ts`,
        'each commit: every partition that it wrote to was owned by its session in that instant',
      ],
      [
        'src/testing/store/commit-cases.ts',
        'every store: a session that is over changes nothing, a number is applied once',
      ],
      ['test/contract/memory-model.test.ts', 'the model: take-overs between the look and the lock of a commit'],
    ],
  },
  {
    id: 'I3',
    words: "An instance's journal is a path in its machine's graph; its sequence has no gap.",
    checks: [
      [
        `${SIMULATION}/paths.ts`,
        'each commit: each row leads along an edge of the graph, from where the row before it has led',
      ],
      [`${SIMULATION}/shop-judge.ts`, 'the end: what the states of the shop mean'],
      ['test/unit/core/random.test.ts', 'the pure core: random inputs, every row a declared way'],
    ],
  },
  {
    id: 'I4',
    words:
      'A message with an id from outside is applied at most once per target within the retention of receipts; an internal one exactly once; nothing acknowledged is lost.',
    checks: [
      [`${SIMULATION}/invariants.ts`, 'each commit: no message is decided twice, no receipt changes its mind'],
      [`${SIMULATION}/ending.ts`, 'the end: all that was acknowledged is there, once'],
      [`${SIMULATION}/truth.ts`, 'each answer: what somebody was told is in the tables already'],
      ['test/contract/messages.test.ts', 'both stores: ids that come again, with the same payload and with another'],
      ['test/crash/driver.ts', 'real processes: every acknowledged order is found after the kill'],
    ],
  },
  {
    id: 'I5',
    words:
      'An activity starts only after the transition that asked for it is durable; every attempt of a call carries the same key; a success of any attempt closes the call, a failure counts only from the newest.',
    checks: [
      [
        `${SIMULATION}/world.ts`,
        'each attempt: its call was committed before, its key and its input are those of the attempts before',
      ],
      [`${SIMULATION}/calls.ts`, 'each commit: how a call may be settled, and by which attempt'],
      ['test/contract/calls.test.ts', 'both stores: keys, retries, results that come late'],
    ],
  },
  {
    id: 'I6',
    words:
      "A timer never fires before it is due by the store's clock, fires at least once, and its lateness is measured.",
    checks: [
      [`${SIMULATION}/invariants.ts`, 'each commit: no row of a timer before its time'],
      [`${SIMULATION}/ending.ts`, 'the end: nothing is overdue'],
      ['test/contract/timers.test.ts', 'both stores: crashes, jumps of the clock, the measure of lateness'],
    ],
  },
  {
    id: 'I7',
    words:
      'An event reaches each who hears it with one stable id, in order per emitting instance, and never an effect before its cause; an event of a transaction that did not commit is never seen.',
    checks: [
      [`${SIMULATION}/order.ts`, 'each commit: offsets without a gap, stamps that grow along causes'],
      [`${SIMULATION}/ending.ts`, 'the end: everybody has heard what concerns him, once, in order'],
      ['test/contract/events.test.ts', 'both stores: who hears what, in which order'],
    ],
  },
  {
    id: 'I8',
    words:
      'A saga that fails undoes every step whose outcome is done or unknown, in reverse order, or stands visibly stalled.',
    checks: [
      [`${SIMULATION}/ending.ts`, 'the end: what a saga that was undone has done outside is undone there'],
      [`${SIMULATION}/shop-judge.ts`, 'the end: the order of the undos'],
      ['test/contract/sagas.test.ts', 'both stores: each outcome of each step'],
    ],
  },
  {
    id: 'I9',
    words:
      'A consumer takes each event of the log once, in causal order; its position commits with its rows; a gap halts it loudly. Consumers are not built yet: what is proven today is the log that they will read.',
    checks: [
      [`${SIMULATION}/order.ts`, 'each commit: the log is dense and in causal order'],
      ['src/testing/store/log-cases.ts', 'every store: the log reads back as it was written, from any place'],
    ],
  },
  {
    id: 'I10',
    words:
      'Nothing blocks anything else: a poison message, a bad row, a stalled instance, a slow activity or a full disk stops only itself.',
    checks: [
      [`${SIMULATION}/shop-judge.ts`, 'the end: neighbours of what stands still have gone on'],
      [`${SIMULATION}/ending.ts`, 'the end: all that can end has ended'],
      ['test/contract/store-trouble.test.ts', 'both stores: full, read-only, unreachable, one bad row'],
      ['test/contract/fairness.test.ts', 'both stores: turns by key, behind a flood of others'],
    ],
  },
  {
    id: 'I11',
    words:
      'Two conservation laws hold by recount of the tables: instances and messages. Retention adds what it deletes to carried sums, in the same commit.',
    checks: [
      [`${SIMULATION}/laws.ts`, 'each commit: both laws, and every counter against the rows'],
      ['src/testing/store/retention-cases.ts', 'every store: the laws after each batch of retention'],
      ['test/support/world.ts', 'after every test of the engine, on both stores'],
    ],
  },
]

/** What nobody may count on. */
export const notPromised: readonly string[] = [
  'Effects in foreign systems exactly once: an activity may run again, under the same idempotency key. That is what the key is for.',
  'An order between instances that do not influence each other.',
  'A message that comes again after the retention of receipts (7 days unless set): it is a new message.',
  'Survival of a lost disk without a backup, or of a disk that says it has synced and has not.',
  'That a timer fires at its time: only that it fires not before, at least once, and that the lateness is told.',
  'Anything of a store that other programs write to beside Pawl.',
]
