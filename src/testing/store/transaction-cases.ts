// Transactions of users, and backups.
import { equal, rejects } from 'node:assert/strict'
import { instanceOf, letterOf, PARTITIONS, same, type StoreTest } from './fixture.ts'
import { balanced, settle } from './laws.ts'

const ownCases: readonly StoreTest[] = [
  {
    title: "a user's rows and messages are committed together",
    needs: ['sql'],
    async run({ store }) {
      const rows = await store.transaction((tx) => {
        tx.sql('create table carts (id text, total integer)')
        tx.sql('insert into carts values (?, ?)', ["o'1", 12])
        tx.append([letterOf('a')], { 'm:accepted': 1, 'm:pending': 1 })
        return tx.sql('select id, total from carts')
      })
      same(rows, [{ id: "o'1", total: 12 }])
      equal((await store.inbox([0], 9)).length, 1)
      equal((await store.recount()).messages.pending, 1)
    },
  },
  {
    title: 'what throws leaves nothing, and the store goes on',
    needs: ['sql'],
    async run({ store }) {
      await store.transaction((tx) => tx.sql('create table carts (id text)'))
      const failing = store.transaction((tx) => {
        tx.sql("insert into carts values ('a')")
        tx.append([letterOf('a')], { 'm:accepted': 1 })
        throw new Error('the cart is full')
      })
      await rejects(failing, /the cart is full/)
      await rejects(
        store.transaction((tx) => tx.sql('selec nonsense')),
        /selec/,
      )
      same(await store.transaction((tx) => tx.sql('select * from carts')), [])
      same(await store.inbox([0], 9), [])
      equal((await store.counts())['m:accepted'] ?? 0, 0)
    },
  },
  {
    title: 'a promise, a transaction inside, a late use: each is refused, and nothing is written',
    needs: ['sql'],
    async run({ store }) {
      await store.transaction((tx) => tx.sql('create table carts (id text)'))
      const insert = "insert into carts values ('a')"
      const waiting = store.transaction(async (tx) => {
        tx.sql(insert)
        await Promise.resolve()
        tx.sql(insert)
      })
      await rejects(waiting, { code: 'ASYNC_TRANSACTION' })
      let inner: Promise<unknown> = Promise.resolve()
      let later: (() => unknown) | undefined
      await store.transaction((tx) => {
        inner = store.transaction((nested) => nested.sql(insert))
        later = () => tx.sql(insert)
        inner.catch(() => {})
      })
      await rejects(inner, { code: 'NESTED_TRANSACTION' })
      await rejects(async () => later!(), { code: 'TRANSACTION_OVER' })
      same(await store.transaction((tx) => tx.sql('select * from carts')), [])
    },
  },
  {
    title: 'a value that SQLite cannot keep is refused, wherever it stands',
    needs: ['sql'],
    async run({ store }) {
      await store.transaction((tx) => tx.sql('create table carts (id text, at text)'))
      const insert = 'insert into carts values (?, ?)'
      for (const values of [
        [new Date(0), 'a'],
        ['a', new Date(0)],
        [{ id: 'a' }, 'a'],
        [['a'], 'a'],
      ])
        await rejects(
          store.transaction((tx) => tx.sql(insert, values)),
          { code: 'BAD_SQL_VALUE' },
        )
      await store.transaction((tx) => tx.sql(insert, [new Uint8Array(1), null]))
      equal((await store.transaction((tx) => tx.sql('select * from carts'))).length, 1)
    },
  },
  {
    title:
      'what would end the transaction, or write to the tables of the store, is refused, and nothing of the work is left',
    needs: ['sql'],
    async run({ store }) {
      await store.transaction((tx) => tx.sql('create table carts (id text primary key, pawl_n integer)'))
      const refused = [
        'begin',
        'commit',
        '/* so */ COMMIT;',
        '-- so\n end',
        'rollback',
        'savepoint a',
        'release a',
        "attach ':memory:' as other",
        'pragma synchronous = off',
        'pragma user_version',
        'delete from pawl_instances',
        'DELETE FROM main."PAWL_instances"',
        "insert into pawl_counters values ('a', 1)",
        "with x as (select 1) update pawl_counters set value = 1 where name = 'a'",
        'drop table pawl_inbox',
        'alter table pawl_inbox rename to inbox',
        'create index mine on pawl_inbox (letter)',
        'create trigger mine after insert on pawl_inbox begin select 1; end',
        'create table pawl_mine (id text)',
      ]
      for (const text of refused) {
        const failing = store.transaction((tx) => {
          tx.sql("insert into carts values ('a', 1)")
          tx.sql(text)
        })
        await rejects(failing, { code: 'SQL_REFUSED' }, text)
      }
      same(await store.transaction((tx) => tx.sql('select * from carts')), [])
      await store.transaction((tx) => {
        tx.sql("insert into carts values ('a', 1)")
        tx.sql("update carts set pawl_n = 2 where id = 'pawl_x' or id = 'a'")
        equal(tx.sql('select count(*) n from pawl_counters')[0]!['n'], 0)
        try {
          tx.sql('commit')
        } catch {
          // The work goes on without.
        }
      })
      same(await store.transaction((tx) => tx.sql('select * from carts')), [{ id: 'a', pawl_n: 2 }])
    },
  },
  {
    title: 'after a statement that rolls everything back no other is run: it would be alone',
    needs: ['sql'],
    async run({ store }) {
      await store.transaction((tx) => tx.sql('create table carts (id text primary key)'))
      const failing = store.transaction((tx) => {
        for (const id of ['a', 'a', 'b'])
          try {
            tx.sql('insert or rollback into carts values (?)', [id])
          } catch (error) {
            if (id === 'b') throw error
          }
      })
      await rejects(failing, { code: 'TRANSACTION_OVER' })
      same(await store.transaction((tx) => tx.sql('select * from carts')), [])
    },
  },
  {
    title: "what is appended while a user's work runs is not part of it",
    needs: ['sql'],
    async run({ store }) {
      let appended: Promise<readonly number[]> | undefined
      const failing = store.transaction(() => {
        appended = store.append([letterOf('a')], {})
        throw new Error('no')
      })
      await rejects(failing, /no/)
      await appended
      equal((await store.inbox([0], 9)).length, 1)
    },
  },
  {
    title: 'without SQL a transaction is refused',
    async run({ store }) {
      if (store.features.sql) return
      await rejects(
        store.transaction(() => 1),
        { code: 'NO_SQL' },
      )
    },
  },
]

const backupCases: readonly StoreTest[] = [
  {
    title: 'a backup is a whole store as of now, and never overwrites',
    needs: ['backup'],
    async run(given) {
      const { fixture, store } = given
      await settle(given)
      const { path, connect } = fixture.copy!
      await store.backup(path)
      await given.write({ created: new Set([6]), instances: [instanceOf(6)] })
      await rejects(store.backup(path), { code: 'BACKUP_EXISTS' })
      const copy = connect()
      equal((await copy.open({ partitions: PARTITIONS })).created, false)
      await balanced(copy)
      equal((await copy.load([{ machine: 'order', id: 'o-6' }]))[0]!.loaded, null)
      equal((await copy.journal(1, 0, 9)).length, 3)
      await copy.close()
    },
  },
  {
    title: 'where there is no backup it is refused',
    async run({ store }) {
      if (store.features.backup) return
      await rejects(store.backup('/nowhere'), { code: 'NO_BACKUP' })
    },
  },
]

/** The cases. */
export const transactionCases: readonly StoreTest[] = [...ownCases, ...backupCases]
