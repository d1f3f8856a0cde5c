// Loans of version 1 that are alive when version 2 is deployed, on a store that stays: one app after the other on one file.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { implement, pawl, service, type App, type Service } from 'pawl'
import { audit, bodies, bureau, Decide, fraud, loan, pay, Sign } from './loans.ts'
import { firstLoan } from './version-1.ts'

let folder: string
let running: App | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-loans-'))
})
afterEach(async () => {
  await running?.stop()
  rmSync(folder, { recursive: true })
})

/** Stops what runs, and starts this on the same file. */
async function deploy(...services: Service[]): Promise<App> {
  await running?.stop()
  running = pawl({ services, store: `sqlite:${join(folder, 'loans.db')}`, grace: '1 ms' })
  await running.start()
  return running
}
const second = () => deploy(service('loans', { machines: [loan], activities: bodies }))

/** A body that never answers and tells who called it: its worker is stopped meanwhile. */
function silent() {
  const heard: string[] = []
  let tell: () => void = () => undefined
  const called = new Promise<void>((resolve) => (tell = resolve))
  const run = (_: unknown, { idempotencyKey, signal }: { idempotencyKey: string; signal: AbortSignal }) => {
    heard.push(idempotencyKey)
    tell()
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('cut off')))
    })
  }
  return { heard, called, run }
}
const score = implement(bureau, () => ({ score: 650 }))
const first = (...activities: Parameters<typeof service>[1]['activities'] & object) =>
  deploy(service('loans', { machines: [firstLoan], activities }))

test('one that waits for a person is decided, signed and paid under version 2, in cents', async () => {
  const old = await first(
    score,
    implement(pay, () => ({ transfer: 'v1' })),
  )
  await old.run(firstLoan, { id: 'l', data: { person: 'kim', amount: 50 } })
  await old.get(firstLoan, 'l').reaches('review')

  const app = await second()
  expect(await app.send(loan, 'l', Decide({ ok: true, by: 'ann' }))).toMatchObject({ outcome: 'applied' })
  await app.send(loan, 'l', Sign({ by: 'kim' }))
  expect(await app.get(loan, 'l').result()).toMatchObject({ person: 'kim', cents: 50_00, score: 650, risk: 1 })
  const lines = await audit(app, 'l')
  expect(lines.filter((line) => line.includes('migrate'))).toHaveLength(1)
  expect(lines.some((line) => line.includes('review → underwriting migrate'))).toBe(true)
})

test('one that waits for its signature goes on waiting, and now only its person signs', async () => {
  const old = await first(
    score,
    implement(pay, () => ({ transfer: 'v1' })),
  )
  const handle = await old.run(firstLoan, { id: 'l', data: { person: 'kim', amount: 50 } })
  await handle.reaches('review')
  await handle.send(Decide({ ok: true, by: 'ann' }))
  await handle.reaches('signing')

  const app = await second()
  expect(await app.send(loan, 'l', Sign({ by: 'bo' }))).toMatchObject({ outcome: 'refused', state: 'signing' })
  expect((await app.get(loan, 'l').state()).status).toBe('waiting')
  await app.send(loan, 'l', Sign({ by: 'kim' }))
  expect((await app.get(loan, 'l').result()).transfer).toBeDefined()
})

test('one that was being scored is assessed anew, with the fraud check', async () => {
  const asking = silent()
  const old = await first(
    implement(bureau, asking.run),
    implement(pay, () => ({ transfer: 'v1' })),
  )
  await old.run(firstLoan, { id: 'l', data: { person: 'kim', amount: 50 } })
  await asking.called

  const checked: unknown[] = []
  const check = implement(fraud, (input) => {
    checked.push(input)
    return { risk: 0.1 }
  })
  const app = await deploy(
    service('loans', { machines: [loan], activities: [score, check, implement(pay, () => ({ transfer: 'v2' }))] }),
  )
  expect(await app.get(loan, 'l').reaches('signing')).toMatchObject({ data: { cents: 50_00, score: 650, risk: 0.1 } })
  expect(checked).toEqual([{ person: 'kim', cents: 50_00 }])
})

test('a payment on its way is kept, with its key', async () => {
  const paying = silent()
  const old = await first(score, implement(pay, paying.run))
  const handle = await old.run(firstLoan, { id: 'l', data: { person: 'kim', amount: 50 } })
  await handle.reaches('review')
  await handle.send(Decide({ ok: true, by: 'ann' }))
  await handle.send(Sign({ by: 'kim' }))
  await paying.called

  const app = await second()
  const { transfer } = await app.get(loan, 'l').result()
  expect(paying.heard).toEqual([transfer])
})

test('one that is over stays as it was', async () => {
  const old = await first(
    score,
    implement(pay, () => ({ transfer: 'v1' })),
  )
  const handle = await old.run(firstLoan, { id: 'l', data: { person: 'kim', amount: 50 } })
  await handle.reaches('review')
  await handle.send(Decide({ ok: false, by: 'ann' }))
  await handle.reaches('refused')

  const app = await second()
  expect(await app.get(loan, 'l').state()).toMatchObject({ state: 'refused', status: 'failed' })
  expect((await audit(app, 'l')).some((line) => line.includes('migrate'))).toBe(false)
})
