import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, late, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { seen } from '../../test/support/seen.ts'
import { audit, bureau, Decide, fraud, loan, pay, services, settleStalledPayments, Sign } from './loans.ts'

const make = (): Harness => harness({ services })
const at = (t: Harness) => seen(t, loan, 'l')
const path = (t: Harness) => t.path(loan, 'l')
const begin = (t: Harness, cents = 5_000_00, person = 'kim') => t.app.run(loan, { id: 'l', data: { person, cents } })
const decide = (t: Harness, ok: boolean) => t.app.send(loan, 'l', Decide({ ok, by: 'ann' }))
const sign = (t: Harness, by = 'kim') => t.app.send(loan, 'l', Sign({ by }))
const withdraw = (t: Harness) => t.app.get(loan, 'l').cancel({ why: 'found another', by: 'kim' })

/** A loan that waits for its signature. */
async function signing(): Promise<Harness> {
  const t = make()
  await begin(t)
  expect((await at(t)).state).toBe('signing')
  return t
}
/** A loan for which a person must decide. */
async function underwriting(): Promise<Harness> {
  const t = make()
  await begin(t, 20_000_00)
  expect((await at(t)).state).toBe('underwriting')
  return t
}

test('the drawing in the README is that of the machine', () => {
  expect(drawingFaults(import.meta.dirname, [loan])).toEqual([])
})

describe('a loan', () => {
  test('that is small is signed and paid', async () => {
    const t = await signing()
    expect((await at(t)).data).toMatchObject({ score: 700, risk: 0.1 })
    expect(t.calls(bureau).map(({ input }) => input)).toEqual([{ person: 'kim' }])
    expect(t.calls(fraud).map(({ input }) => input)).toEqual([{ person: 'kim', cents: 5_000_00 }])
    await sign(t)
    expect(await path(t)).toEqual(['assessing', 'routing', 'signing', 'paying', 'paid'])
    const [paid] = t.calls(pay)
    expect(paid).toMatchObject({ input: { person: 'kim', cents: 5_000_00 }, attempts: 1, outcome: 'done' })
    expect(await at(t)).toMatchObject({ status: 'done', data: { transfer: paid?.key } })
    await t.end()
  })

  test('that is risky is decided by a person', async () => {
    const t = await underwriting()
    await decide(t, true)
    await sign(t)
    expect(await path(t)).toEqual(['assessing', 'routing', 'underwriting', 'signing', 'paying', 'paid'])
    await t.end()
  })

  test('that is large is decided by a person, however small its risk', async () => {
    const t = make()
    t.fake(fraud, answers({ risk: 0 }))
    await begin(t, 100_000_00)
    expect((await at(t)).state).toBe('underwriting')
    await decide(t, false)
    await t.end()
  })

  test('may be declined', async () => {
    const t = await underwriting()
    await decide(t, false)
    expect(await at(t)).toMatchObject({ state: 'refused', status: 'failed', data: { refusal: 'declined' } })
    await t.end()
  })

  test('is signed by whoever asked for it', async () => {
    const t = await signing()
    expect(await sign(t, 'bo')).toMatchObject({ outcome: 'refused', why: 'if', state: 'signing' })
    expect(t.calls(pay)).toEqual([])
    await sign(t)
    expect((await at(t)).state).toBe('paid')
    await t.end()
  })

  test('that nobody signs ends after thirty days', async () => {
    const t = await signing()
    await t.advance('29 days')
    expect((await at(t)).state).toBe('signing')
    await t.advance('1 day')
    expect(await at(t)).toMatchObject({ state: 'refused', data: { refusal: 'unsigned' } })
    await t.end()
  })
})

describe('two checks at once', () => {
  const cases = [
    ['the bureau does not know them', refuses('Unknown'), answers({ risk: 0.1 }), 'unknown', 0.1],
    ['they are blocked', answers({ score: 1 }), refuses('Blocked'), 'fraud', 1],
    ['both', refuses('Unknown'), refuses('Blocked'), 'fraud', 1],
    ['unknown, and no word about fraud', refuses('Unknown'), throws(), 'unknown', 1],
    ['no score, and blocked', throws(), refuses('Blocked'), 'fraud', 1],
  ] as const
  test.each(cases)('refuse: %s', async (_, scored, checked, refusal, risk) => {
    const t = make()
    t.fake(bureau, scored)
    t.fake(fraud, checked)
    await begin(t)
    await t.advance('10 minutes')
    expect(await at(t)).toMatchObject({ state: 'refused', status: 'failed', data: { refusal, risk } })
    expect(await path(t)).toEqual(['assessing', 'refused'])
    await t.end()
  })

  test.each([
    ['the bureau', throws(), answers({ risk: 0.1 }), 0.1],
    ['the fraud check', answers({ score: 700 }), throws(), 1],
    ['neither', throws(), throws(), 1],
  ] as const)('of which one does not answer (%s) leave it to a person', async (_, scored, checked, risk) => {
    const t = make()
    t.fake(bureau, scored)
    t.fake(fraud, checked)
    await begin(t)
    await t.advance('10 minutes')
    expect(await at(t)).toMatchObject({ state: 'underwriting', data: { risk } })
    await decide(t, false)
    await t.end()
  })

  test('are both awaited, whichever fails first', async () => {
    const t = make()
    t.fake(bureau, refuses('Unknown'))
    t.fake(fraud, late('5 seconds', { risk: 0.3 }))
    await begin(t)
    expect((await at(t)).state).toBe('assessing')
    await t.advance('5 seconds')
    expect(await at(t)).toMatchObject({ state: 'refused', data: { refusal: 'unknown', risk: 0.3 } })
    await t.end()
  })

  test('of somebody whom the bureau does not know', async () => {
    const t = make()
    await begin(t, 1, 'nobody')
    expect((await at(t)).data.refusal).toBe('unknown')
    await t.end()
  })
})

describe('a loan that is withdrawn', () => {
  const withdrawn = { state: 'refused', status: 'failed', data: { refusal: 'withdrawn' } }

  test.each([
    ['signing', signing],
    ['underwriting', underwriting],
  ] as const)('while it is in %s ends at once', async (_, make) => {
    const t = await make()
    await withdraw(t)
    expect(await at(t)).toMatchObject(withdrawn)
    await t.end()
  })

  test('while it is assessed ends behind that', async () => {
    const t = make()
    t.fake(fraud, late('5 seconds', { risk: 0.1 }))
    await begin(t)
    expect(await withdraw(t)).toMatchObject({ outcome: 'deferred', state: 'assessing' })
    await t.advance('5 seconds')
    expect(await at(t)).toMatchObject(withdrawn)
    expect(t.calls(pay)).toEqual([])
    await t.end()
  })

  test('while it is paid comes too late', async () => {
    const t = await signing()
    t.fake(pay, late('5 seconds', { transfer: 'x' }))
    await sign(t)
    expect(await withdraw(t)).toMatchObject({ outcome: 'deferred', state: 'paying' })
    await t.advance('5 seconds')
    expect(await at(t)).toMatchObject({ state: 'paid', status: 'done', data: { transfer: 'x' } })
    expect((await at(t)).data.refusal).toBeUndefined()
    await t.end()
  })

  test('as it is signed: whoever comes first', async () => {
    const t = await signing()
    await Promise.all([withdraw(t), sign(t)])
    expect(await at(t)).toMatchObject(withdrawn)
    expect(t.calls(pay)).toEqual([])
    await t.end()
  })
})

describe('a payment', () => {
  /** One whose outcome nobody knows. */
  async function stalled(): Promise<Harness> {
    const t = await signing()
    t.fake(pay, throws('connection lost'))
    await sign(t)
    await t.advance('10 minutes')
    expect(await at(t)).toMatchObject({ state: 'paying', status: 'stalled' })
    expect(t.calls(pay)).toMatchObject([{ attempts: 4, outcome: 'unknown' }])
    return t
  }

  test('that does not come through at once is tried under one key', async () => {
    const t = await signing()
    t.fake(pay, sequence(throws(), throws(), answers({ transfer: 'x' })))
    await sign(t)
    await t.advance('1 minute')
    expect((await at(t)).state).toBe('paid')
    expect(t.calls(pay)).toMatchObject([{ attempts: 3, outcome: 'done' }])
    await t.end()
  })

  test('whose outcome is unknown and that the bank has made is settled with its word', async () => {
    const t = await stalled()
    await settleStalledPayments(t.app, async (person) => `told of ${person}`, 'ann')
    expect(await at(t)).toMatchObject({ state: 'paid', data: { transfer: 'told of kim' } })
    expect(t.calls(pay)).toHaveLength(1)
    expect((await audit(t.app, 'l')).some((line) => line.includes('ann the bank has paid it'))).toBe(true)
    await t.end()
  })

  test('of which the bank knows nothing is made under a new key', async () => {
    const t = await stalled()
    t.fake(pay, (_, { key }) => ({ transfer: key }))
    await settleStalledPayments(t.app, async () => null, 'ann')
    expect((await at(t)).state).toBe('paid')
    const keys = t.calls(pay).map(({ key }) => key)
    expect(new Set(keys).size).toBe(2)
    expect((await at(t)).data.transfer).toBe(keys.at(-1))
    await t.end()
  })

  test('is made once though the worker crashes before it has an answer', async () => {
    const t = await signing()
    t.fake(pay, hangs())
    await sign(t)
    const key = t.calls(pay)[0]?.key
    await t.crash()
    t.fake(pay, (_, attempt) => ({ transfer: attempt.key }))
    await t.advance('1 minute')
    expect(await at(t)).toMatchObject({ state: 'paid', data: { transfer: key } })
    expect(t.calls(pay)).toHaveLength(1)
    await t.end()
  })
})
