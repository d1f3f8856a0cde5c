// Whoever has nothing to do with what goes wrong beside it, and must not notice (I10).
import { expect } from 'vitest'
import * as z from 'zod'
import { event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'

const Tick = event('tick', { data: z.object({ id: z.string() }), key: (d) => d.id })

/** waiting ──tick──▶ over */
const bystander = machine('bystander', {
  data: z.object({ n: z.number().default(0) }),
  receives: [Tick],
  initial: 'waiting',
  states: { waiting: { on: { tick: { to: 'over', set: { n: 1 } } } }, over: { final: 'done' } },
})

/** The service of the bystander. */
export const bystanders = service('bystanders', { machines: [bystander] })

let count = 0

/** A whole life, from the start to the end; the worker is as well as ever, but for these problems. */
export async function expectOthersGoOn(app: App, problems: readonly unknown[] = []): Promise<void> {
  const id = `other-${++count}`
  const handle = await app.run(bystander, { id, data: {} })
  expect(await app.emit(Tick({ id }))).toMatchObject({ heard: [{ outcome: 'applied', state: 'over' }] })
  expect(await handle.result()).toEqual({ n: 1 })
  expect(await app.health()).toEqual({ ready: true, alive: true, store: 'ok', problems })
}
