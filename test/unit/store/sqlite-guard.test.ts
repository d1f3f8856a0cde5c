import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { Guard } from '../../../src/store/sqlite/guard.ts'

/** A connection with one table of the store's and one of a user's. `byText`: as where SQLite is not asked. */
function scene(byText: boolean) {
  const db = new DatabaseSync(':memory:')
  db.exec('create table pawl_inbox (n integer); create table carts (id text); create table log (id text)')
  const guard = new Guard(db, byText)
  const sql = (text: string): unknown[] => {
    const statement = guard.prepare(text)
    return guard.run(() => statement.all())
  }
  return { db, sql }
}

const REFUSED = [
  'commit',
  ' ;; /* a */ -- b\n rollback',
  'savepoint a',
  "attach 'x' as y",
  'pragma journal_mode',
  'insert into pawl_inbox values (1)',
  'with a as (select 1 n) insert into pawl_inbox select n from a',
  'delete from [pawl_inbox]',
  'drop table if exists Pawl_Inbox',
  'create trigger t after insert on carts begin delete from pawl_inbox; end; ',
]
const TAKEN = [
  'select * from pawl_inbox',
  "insert into carts values ('pawl_inbox')",
  'insert into carts values (1) -- pawl_inbox',
  'select 1 as "commit"',
  'create index carts_id on carts (id)',
]

test.each([
  ['asking SQLite', false],
  ['by the look of the text', true],
])('%s: what a user may do, and what not', (_, byText) => {
  const { sql } = scene(byText)
  // SQLite looks into a trigger when something fires it.
  const refused = byText ? REFUSED : REFUSED.filter((text) => !text.startsWith('create trigger'))
  for (const text of refused) expect(() => sql(text), text).toThrow(expect.objectContaining({ code: 'SQL_REFUSED' }))
  for (const text of TAKEN) expect(() => sql(text), text).not.toThrow()
})

test('a trigger that writes to a table of the store is refused when it fires, also for a statement that was prepared before', () => {
  const { db, sql } = scene(false)
  db.exec('insert into pawl_inbox values (1)')
  const guard = new Guard(db)
  const insert = guard.prepare("insert into carts values ('a')")
  guard.run(() => insert.all())
  sql('create trigger t after insert on carts begin delete from pawl_inbox; end')
  expect(() => guard.run(() => insert.all())).toThrow(expect.objectContaining({ code: 'SQL_REFUSED' }))
  expect(db.prepare('select count(*) n from pawl_inbox').get()).toEqual({ n: 1 })
})

test('the store itself is not held up, and an error of SQLite comes as it is', () => {
  const { db, sql } = scene(false)
  expect(() => sql('selec nonsense')).toThrow('selec')
  expect(() => sql('insert into nowhere values (1)')).toThrow('no such table')
  db.exec('begin; insert into pawl_inbox values (1); commit; pragma user_version = 3')
  expect(sql('select * from pragma_user_version')).toEqual([{ user_version: 3 }])
})
