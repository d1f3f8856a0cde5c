// A dead letter whose machine could not say which instances an event was for: it is asked again, and what it names gets the event.
import { PawlError } from '../base/errors.ts'
import { carriedMessages, messageCount, Tally } from '../core/counts.ts'
import type { MessageInput } from '../core/model.ts'
import { readPayload } from '../core/reading.ts'
import type { Reason, Receipt } from '../machine/types-app.ts'
import { NO_CHANGE, type DeadLetterRow, type Store, type Target } from '../store/store.ts'
import type { Client } from './client.ts'
import type { Item } from './mailbox.ts'
import { receiptOf } from './receipt.ts'
import type { Told } from './reply.ts'

const PAGE = 1_000

/** Whether an instance has looked at a message, or keeps it: one that gave some good ids with a bad one was heard by those. */
async function hasSeen(store: Store, target: Target, { id, type }: MessageInput): Promise<boolean> {
  const [found] = await store.load([target])
  if (found?.corrupt !== undefined) throw found.corrupt
  const waiting = found?.loaded?.waiting ?? found?.orphans ?? []
  if (waiting.some((row) => row.waiting.input.id === id)) return true
  if (found?.loaded === null || found === undefined) return false
  for (let after = 0; ;) {
    const rows = await store.journal(found.loaded.instance.k, after, PAGE)
    if (rows.some(({ cause }) => cause.kind === 'message' && cause.id === id && cause.name === type)) return true
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return false
    after = last.seq
  }
}

/** Whom the machine names now, without those that have the event already. Rejects with the letter's code where it cannot say. */
async function named(client: Client, row: DeadLetterRow, input: MessageInput): Promise<readonly Target[]> {
  const { registry, store } = client.engine
  const { name: machine } = client.machine(row.machine)
  const message = registry.message(input.type)
  const key = message?.key?.(input.data) ?? ''
  const targets: Target[] = []
  for (const hearer of registry.heardBy(machine, input.type, key, input.data)) {
    if (hearer.id === undefined)
      throw new PawlError('HANDLER_FAILED', `${machine}, correlate "${input.type}": ${hearer.problem}`, {
        messageId: input.id,
      })
    const target = { machine, id: hearer.id }
    if (!(await hasSeen(store, target, input))) targets.push(target)
  }
  return targets
}

/** The payload, as the newest version of its type. */
function edited(
  client: Client,
  input: MessageInput,
  data: unknown,
  isNew: boolean,
): Pick<MessageInput, 'data' | 'version'> {
  const message = client.engine.registry.message(input.type)
  if (message === undefined)
    throw new PawlError('UNKNOWN_MESSAGE', `no machine of this app receives or emits "${input.type}"`)
  const read = readPayload(message, isNew ? message.version : input.version, data)
  if ('problem' in read) throw new PawlError('BAD_DATA', read.problem, { messageId: input.id })
  return { data: read.value, version: message.version }
}

/**
 * Sends an event that no instance was named for to those that its machine names now; the letter goes in the same commit. `data`: edited.
 * Where it names one, what became of it there is answered; else `stored`. Rejects with HANDLER_FAILED where it still cannot say, and with
 * UNKNOWN_DEAD_LETTER where somebody else was faster.
 */
export async function correlateAgain(
  client: Client,
  row: DeadLetterRow & { readonly input: MessageInput },
  o: Reason & { data?: unknown },
): Promise<Receipt> {
  const { data = row.input.data } = o
  const by = o.by === undefined ? {} : { by: o.by }
  const input = { ...row.input, ...edited(client, row.input, data, o.data !== undefined), ...by, why: o.why }
  const targets = await named(client, row, input)
  const [first] = await move(client, row.id, input, targets)
  const [only] = targets
  if (only === undefined || targets.length > 1) return { outcome: 'stored', messageId: input.id }
  const told = await first
  return receiptOf<string>(
    only,
    input.id,
    told === undefined || told.fate === 'lost' ? await client.received(only, input) : told,
  )
}

/**
 * The letter goes, and its event lies in the inbox of each target, in one commit. What becomes of it there; undefined where the owner is
 * another worker, who writes a receipt.
 */
async function move(
  client: Client,
  letter: string,
  input: MessageInput,
  targets: readonly Target[],
): Promise<readonly (Promise<Told> | undefined)[]> {
  const { router, lane, committer } = client.engine.parts
  const tally = new Tally()
  tally.add(messageCount('dead'), -1)
  if (targets.length === 0) {
    tally.add(messageCount('unclaimed'))
    tally.add(carriedMessages('unclaimed'))
  } else {
    tally.add(messageCount('pending'), targets.length)
    tally.add(messageCount('accepted'), targets.length - 1)
  }
  const since = client.engine.clock.monotonic()
  const items = targets.map((target) =>
    router.item(target, input, { since, counted: true, delivery: { receipt: true } }),
  )
  const change = { ...NO_CHANGE, undead: [letter], inbox: items.map((item) => router.row(item)), counts: tally.sums }
  return lane.between(async () => {
    const result = await committer.commit(change)
    if (result.kind === 'applied') return items.map((item, i) => post(client, item, result.inbox[i]))
    throw new PawlError('UNKNOWN_DEAD_LETTER', `the dead letter "${letter}" is gone: somebody else was faster`)
  })
}

/** Where this worker is the owner it need not read the row first. */
function post(client: Client, item: Item, inbox: number | undefined): Promise<Told> | undefined {
  const { engine } = client
  if (inbox === undefined || !engine.ownership.owns(item.partition)) return undefined
  engine.parts.inbox.wrote(inbox, item.partition)
  return new Promise((resolve) => engine.post({ ...item, inbox, reply: resolve }))
}
