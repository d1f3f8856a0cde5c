// The caller's rows and messages in one commit, on an embedded store: the messages lie in the inbox, and their owner, this
// very worker, is told as soon as the commit is done. A store without SQL takes the messages alone, together or not at all.
import { PawlError } from '../base/errors.ts'
import { messageCount, Tally } from '../core/counts.ts'
import { definitionOf } from '../machine/definition.ts'
import type { Sender as SenderOptions, Transaction } from '../machine/types-app.ts'
import type { InboxRow, Store, StoreTransaction } from '../store/store.ts'
import { checkedId, type Client } from './client.ts'
import type { Item } from './mailbox.ts'
import { checkOptions } from './options.ts'
import { eventLetter, messageInput } from './send.ts'

/** Runs synchronous work in a transaction. What it throws undoes all of it. */
export async function transact<T>(client: Client, work: (tx: Transaction) => T): Promise<T> {
  const { engine } = client
  const { inbox } = engine.check()
  const run = (store: StoreTransaction): T => work(transactionOf(client, store))
  const result = await (engine.store.features.sql ? engine.store.transaction(run) : messagesOnly(engine.store, run))
  void inbox.hint()
  return result
}

/** Where there is no SQL the messages are gathered, and appended in one call when the work is done. */
async function messagesOnly<T>(store: Store, work: (tx: StoreTransaction) => T): Promise<T> {
  const rows: Omit<InboxRow, 'n'>[] = []
  const tally = new Tally()
  let over = false
  const check = (): void => {
    if (over)
      throw new PawlError(
        'TRANSACTION_OVER',
        'this transaction is over: use `tx` only inside the work that was given it',
      )
  }
  const result = work({
    sql() {
      check()
      throw new PawlError('NO_SQL', 'this store takes no SQL: use sqlite: for transactions with rows of your own')
    },
    append(more, counts) {
      check()
      rows.push(...more)
      for (const [name, by] of Object.entries(counts)) tally.add(name, by)
    },
  })
  over = true
  if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') {
    // Nobody waits for the promise: its error must not end the process.
    Promise.resolve(result).catch(() => {})
    throw new PawlError(
      'ASYNC_TRANSACTION',
      'the work of a transaction returned a promise: it must be synchronous; do the waiting before it',
    )
  }
  if (rows.length > 0) await store.append(rows, tally.sums)
  return result
}

function transactionOf(client: Client, store: StoreTransaction): Transaction {
  const append = (item: Omit<Item, 'box' | 'partition'>): void => {
    const tally = new Tally()
    tally.add(messageCount('accepted'))
    tally.add(messageCount('pending'))
    const { router } = client.engine.parts
    store.append([router.row(router.item(item.target, item.input, item))], tally.sums)
  }
  const more = (
    id: string | undefined,
    type: string,
    data: unknown,
  ): Pick<Item, 'since' | 'counted' | 'hops' | 'delivery'> => {
    const delivery = client.delivery(id, type, data)
    return { since: 0, counted: true, hops: 0, ...(delivery !== undefined && { delivery }) }
  }
  const idOf = (o: SenderOptions | undefined): string => {
    if (o !== undefined) checkOptions(o, 'send in a transaction')
    return o?.id === undefined ? client.newId() : checkedId(o.id, 'the id of a message')
  }
  return {
    sql: (text, values) => store.sql(text, values),
    emit(message, o) {
      const id = idOf(o)
      const letter = eventLetter(client, message, id, o?.by)
      append({ target: { machine: '', id: letter.key }, input: letter, ...more(o?.id, letter.type, letter.data) })
      return id
    },
    send(to, instance, message, o) {
      const id = idOf(o)
      const definition = client.machine(definitionOf(to).name)
      const input = messageInput(client, definition, message, id, o)
      append({
        target: { machine: definition.name, id: checkedId(instance, `the id of a ${definition.name}`) },
        input,
        ...more(o?.id, input.type, input.data),
      })
      return id
    },
  }
}
