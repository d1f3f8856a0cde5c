// The doctor on a store that is well, and on one for each way to be ill.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RULES } from '../../../src/cli/findings.ts'
import { cli, cliJson, Folder, lived, storeAtRest } from './command-line.ts'

interface Report {
  readonly ok: boolean
  readonly instances: number
  readonly rows: number
  readonly findings: readonly { readonly rule: string; readonly grade: string; readonly count: number }[]
}

let folder: Folder
let made: string
let n = 0
beforeAll(async () => {
  folder = new Folder()
  made = await storeAtRest(folder)
})
afterAll(() => folder.remove())

/** The store, edited by hand. */
function edited(sql: string): string {
  const path = join(folder.path, `ill-${++n}.db`)
  copyFileSync(made, path)
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
  return `sqlite:${path}`
}

test('a store that is well has no findings; nothing in it is changed', async () => {
  const report = await cliJson<Report>(['doctor', '--strict', '--store', `sqlite:${made}`])
  expect(report).toEqual({ ok: true, instances: 6, rows: 11, findings: [] })
  expect((await cli(['doctor', '--store', `sqlite:${made}`])).out).toBe(
    'well  6 instances, 11 rows of their journals\n',
  )
})

test('a store whose app runs is well, too', async () => {
  const path = join(folder.path, 'running.db')
  const app = await lived(path)
  try {
    expect(await cliJson<Report>(['doctor', '--store', `sqlite:${path}`])).toMatchObject({ ok: true, findings: [] })
  } finally {
    await app.stop()
  }
})

const k = (id: string): string => `(select k from pawl_instances where id = '${id}')`
const ills: readonly (readonly [rule: string, ill: string, sql: string])[] = [
  [
    'law-instances',
    'an instance is gone',
    `delete from pawl_instances where id = 'o-5'; delete from pawl_journal where k not in (select k from pawl_instances)`,
  ],
  ['law-messages', 'a dead letter is gone', 'delete from pawl_dead_letters'],
  ['figures', 'a counter is wrong', "update pawl_counters set value = value + 1 where name = 'i:stalled:order'"],
  ['figures', 'a state is counted that nobody is in', "insert into pawl_counters values ('s:lost:order', 1)"],
  ['journal-gapless', 'a row of the journal is gone', `delete from pawl_journal where k = ${k('o-6')} and seq = 2`],
  ['journal-path', 'a row begins elsewhere', `update pawl_journal set "from" = "to" where k = ${k('o-6')} and seq = 2`],
  [
    'journal-agrees',
    'an instance stands elsewhere',
    `update pawl_instances set state = (select n from pawl_names where name = 'charging') where id = 'o-5'`,
  ],
  [
    'journal-agrees',
    'data that no transition has set',
    `update pawl_instances set data = '{"cents":1}' where id = 'o-5'`,
  ],
  ['journal-agrees', 'no journal at all', `delete from pawl_journal where k = ${k('o-5')}`],
  ['readable', 'data that are no JSON', `update pawl_instances set data = '{"cents":' where id = 'o-5'`],
  ['places', 'another partition', "update pawl_instances set partition = 1 - min(partition, 1) where id = 'o-5'"],
  ['condition', 'ended, and not over', "update pawl_instances set ended_at = null where id = 'o-6'"],
  ['condition', 'stalled without a reason', "update pawl_instances set stalled = null where id = 'o-2'"],
  ['condition', 'listed as running without a call', "update pawl_instances set open = 1 where id = 'o-5'"],
  ['due', 'a timer that nobody would look at', "update pawl_instances set due_at = null where id = 'o-5'"],
  ['due', 'a timer that is looked at too late', "update pawl_instances set due_at = due_at + 1 where id = 'o-5'"],
  [
    'owners',
    'a journal of nobody',
    'insert into pawl_journal select 9999, seq, at, kind, outcome, name, cause_id, cause_before, "from", "to", change, opened, effects from pawl_journal limit 1',
  ],
  ['owners', 'a former life of nobody', "insert into pawl_lives values (9999, 1, 'x', null)"],
  [
    'owners',
    'a child of nobody',
    "insert into pawl_children values (9999, 'order', 'x', 'x', 1, 'packing', 'waiting', '{}')",
  ],
  [
    'owners',
    'a message that waits for nobody',
    "insert into pawl_waiting values (1, 9999, 'order', 'x', 0, 'state', null, null, 1, 0, '{}', null)",
  ],
  [
    'waiting',
    'a message under another name',
    `insert into pawl_waiting values (1, ${k('o-5')}, 'order', 'x', 0, 'state', null, null, 1, 0, '{}', null)`,
  ],
  [
    'waiting',
    'a message that waits for what has ended',
    `insert into pawl_waiting values (1, ${k('o-6')}, 'order', 'o-6', 0, 'state', null, null, 1, 0, '{}', null)`,
  ],
  ['ids', 'one name of two instances', "update pawl_instances set id = 'o-1' where id = 'o-5'"],
  ['ids', 'a name of nobody', 'insert into pawl_ids values (1, 9999)'],
  ['journal-events', 'an event is gone', `delete from pawl_events where k = ${k('o-6')}`],
  [
    'log',
    'an event beyond the head of its partition',
    `update pawl_partitions set head = head - 1 where n in (select partition from pawl_events)`,
  ],
  ['log', 'an event of a row that is not there', `update pawl_events set k = ${k('o-5')}, seq = 99`],
  ['versions', 'an instance of a version that never ran', "update pawl_instances set version = 7 where id = 'o-5'"],
  [
    'graph',
    'a step that is no edge',
    `update pawl_journal set "to" = (select n from pawl_names where name = 'shipped') where k = ${k('o-3')} and seq = 2`,
  ],
]

test.each(ills)('%s: %s', async (rule, _, sql) => {
  const store = edited(sql)
  const report = await cliJson<Report>(['doctor', '--strict', '--store', store], 1)
  expect(report.findings.map((finding) => finding.rule)).toContain(rule)
  expect((await cli(['doctor', '--strict', '--store', store])).out).toContain(`${rule}, `)
})

test('a doubt alone fails only a strict examination', async () => {
  // The graph was changed since, under the same number: it knows this edge no more.
  const store = edited(`update pawl_machines set graph = replace(graph, '"declined"', '"rejected"')`)
  const report = await cliJson<Report>(['doctor', '--store', store])
  expect(report.findings).toMatchObject([{ rule: 'graph', grade: 'doubt', count: 1 }])
  expect((await cli(['doctor', '--strict', '--store', store])).exit).toBe(1)
})

test('every rule is tested, but for what only a broken disk does', () => {
  const tested = new Set(ills.map(([rule]) => rule))
  expect(Object.keys(RULES).filter((rule) => !tested.has(rule))).toEqual(['file'])
})
