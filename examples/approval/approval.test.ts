import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, sequence, throws, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { seen } from '../../test/support/seen.ts'
import {
  approval,
  Approve,
  approve,
  board,
  check,
  Escalated,
  monitor,
  Reject,
  Remind,
  services,
  Stop,
  Vote,
} from './approval.ts'

const make = (): Harness => harness({ services })

test('the drawings in the README are those of the machines', () => {
  expect(drawingFaults(import.meta.dirname, [approval, board, monitor])).toEqual([])
})

describe('an approval', () => {
  const at = (t: Harness) => seen(t, approval, 'e')
  const reminders = (t: Harness) => t.emitted(Remind).map(({ data }) => `${data.to} ${data.urgency}`)
  async function asked(): Promise<Harness> {
    const t = make()
    await t.app.run(approval, { id: 'e', data: { chain: ['ann', 'bo'] } })
    expect(await at(t)).toMatchObject({ state: 'waiting', data: { level: 0, reminded: 1 } })
    return t
  }

  test('is given by whoever is asked, once', async () => {
    const t = await asked()
    expect(await approve(t.app, 'e', 'ann')).toBe('approved')
    expect(await at(t)).toMatchObject({ state: 'approved', status: 'done', data: { by: 'ann' } })
    expect(await approve(t.app, 'e', 'ann')).toBe('it was approved already')
    expect(t.emitted(Remind).map(({ data }) => data)).toEqual([{ id: 'e', to: 'ann', urgency: 'low' }])
    await t.end()
  })

  test('is not given by somebody else, not even by the next in the chain', async () => {
    const t = await asked()
    for (const user of ['bo', 'kim']) expect(await approve(t.app, 'e', user)).toBe('it is not yours to approve')
    const reject = await t.app.send(approval, 'e', Reject({ reason: 'no' }), { by: 'bo' })
    expect(reject).toMatchObject({ outcome: 'refused', why: 'if', state: 'waiting' })
    // Nobody is nobody: not whoever is asked.
    expect(await t.app.send(approval, 'e', Approve({}))).toMatchObject({ outcome: 'refused' })
    expect((await at(t)).data.by).toBeUndefined()
    await approve(t.app, 'e', 'ann')
    await t.end()
  })

  test('is refused by whoever is asked, with a reason', async () => {
    const t = await asked()
    await t.app.send(approval, 'e', Reject({ reason: 'too dear' }), { by: 'ann' })
    expect(await at(t)).toMatchObject({ state: 'rejected', status: 'failed', data: { by: 'ann', reason: 'too dear' } })
    expect(await approve(t.app, 'e', 'ann')).toBe('it was rejected already')
    await t.end()
  })

  test('is asked for every day, from the third time on urgently', async () => {
    const t = await asked()
    await t.advance('23 hours')
    expect(reminders(t)).toEqual(['ann low'])
    await t.advance('1 hour')
    expect(reminders(t)).toEqual(['ann low', 'ann low'])
    await t.advance('1 day')
    expect(reminders(t)).toEqual(['ann low', 'ann low', 'ann high'])
    await approve(t.app, 'e', 'ann')
    await t.end()
  })

  test("goes to the next after three days, reminders or not, and then is that one's alone", async () => {
    const t = await asked()
    await t.advance('71 hours')
    expect((await at(t)).data).toMatchObject({ level: 0, reminded: 3 })
    await t.advance('1 hour')
    expect(await at(t)).toMatchObject({ state: 'waiting', data: { level: 1, reminded: 1 } })
    expect(t.emitted(Escalated).map(({ data }) => data)).toEqual([{ id: 'e', to: 'bo' }])
    expect(reminders(t).at(-1)).toBe('bo low')
    expect(await approve(t.app, 'e', 'ann')).toBe('it is not yours to approve')
    expect(await approve(t.app, 'e', 'bo')).toBe('approved')
    await t.end()
  })

  test('expires when the last of the chain is silent, who had three days too', async () => {
    const t = await asked()
    await t.advance('5 days')
    expect(await at(t)).toMatchObject({ state: 'waiting', data: { level: 1 } })
    await t.advance('1 day')
    expect(await at(t)).toMatchObject({ state: 'expired', status: 'failed' })
    expect(t.emitted(Escalated)).toHaveLength(1)
    expect(await approve(t.app, 'e', 'bo')).toBe('it was expired already')
    await t.end()
  })

  test('that comes with its refusal at the same moment: the first counts', async () => {
    const t = await asked()
    const [first, second] = await Promise.all([
      t.app.send(approval, 'e', Reject({ reason: 'no' }), { by: 'ann' }),
      t.app.send(approval, 'e', Approve({}), { by: 'ann' }),
    ])
    expect([first.outcome, second.outcome]).toEqual(['applied', 'refused'])
    expect((await at(t)).state).toBe('rejected')
    await t.end()
  })

  test('goes on where it was when the worker has crashed', async () => {
    const t = await asked()
    await t.advance('25 hours')
    await t.crash()
    await t.advance('46 hours')
    expect((await at(t)).data.level).toBe(0)
    await t.advance('1 hour')
    expect((await at(t)).data.level).toBe(1)
    await approve(t.app, 'e', 'bo')
    await t.end()
  })
})

describe('a board', () => {
  async function voting(): Promise<Harness> {
    const t = make()
    await t.app.run(board, { id: 'm', data: { members: ['ann', 'bo', 'cy', 'di'], needed: 2 } })
    return t
  }
  const vote = (t: Harness, by: string, yes: boolean) => t.app.send(board, 'm', Vote({ yes }), { by })

  test('passes what enough agree to', async () => {
    const t = await voting()
    expect(await vote(t, 'ann', true)).toMatchObject({ outcome: 'applied', state: 'voting' })
    await vote(t, 'bo', false)
    expect((await seen(t, board, 'm')).state).toBe('voting')
    await vote(t, 'cy', true)
    expect(await seen(t, board, 'm')).toMatchObject({
      state: 'passed',
      status: 'done',
      data: { votes: { ann: true, bo: false, cy: true } },
    })
    expect(await vote(t, 'di', false)).toMatchObject({ outcome: 'refused', why: 'ended' })
    await t.end()
  })

  test('refuses as soon as it cannot pass any more', async () => {
    const t = await voting()
    await vote(t, 'ann', false)
    await vote(t, 'bo', false)
    expect((await seen(t, board, 'm')).state).toBe('voting')
    await vote(t, 'cy', false)
    expect(await seen(t, board, 'm')).toMatchObject({ state: 'refused', status: 'failed' })
    await t.end()
  })

  test('counts a member once, and nobody else', async () => {
    const t = await voting()
    await vote(t, 'ann', true)
    expect(await vote(t, 'ann', true)).toMatchObject({ outcome: 'refused', why: 'if' })
    expect(await vote(t, 'kim', true)).toMatchObject({ outcome: 'refused', why: 'if' })
    expect(await t.app.send(board, 'm', Vote({ yes: true }))).toMatchObject({ outcome: 'refused', why: 'if' })
    expect(await seen(t, board, 'm')).toMatchObject({ state: 'voting', data: { votes: { ann: true } } })
    await vote(t, 'di', true)
    await t.end()
  })

  test('that is silent for a week has refused', async () => {
    const t = await voting()
    await vote(t, 'ann', true)
    await t.advance('6 days')
    expect((await seen(t, board, 'm')).state).toBe('voting')
    await t.advance('1 day')
    expect((await seen(t, board, 'm')).state).toBe('refused')
    await t.end()
  })
})

describe('a monitor', () => {
  const start = (t: Harness) => t.app.run(monitor, { id: 'w', data: { url: 'https://example.org' } })
  const stop = (t: Harness) => t.app.send(monitor, 'w', Stop({}))
  const at = (t: Harness) => seen(t, monitor, 'w')

  test('asks every thirty seconds, and counts how often in a row it was down', async () => {
    const t = make()
    t.fake(
      check,
      sequence(answers({ up: false }), answers({ up: false }), answers({ up: true }), answers({ up: false })),
    )
    await start(t)
    expect(await at(t)).toMatchObject({ state: 'sleeping', data: { bad: 1 } })
    await t.advance('29 seconds')
    expect(t.calls(check).map(({ input }) => input)).toEqual([{ url: 'https://example.org' }])
    await t.advance('1 second')
    expect((await at(t)).data.bad).toBe(2)
    await t.advance('30 seconds')
    expect((await at(t)).data.bad).toBe(0)
    await t.advance('30 seconds')
    expect((await at(t)).data.bad).toBe(1)
    await stop(t)
    expect(await at(t)).toMatchObject({ state: 'stopped', status: 'done' })
    await t.end()
  })

  test('counts a site that does not answer as down', async () => {
    const t = make()
    t.fake(check, throws('no route'))
    await start(t)
    await t.advance('5 minutes')
    expect(t.calls(check)[0]).toMatchObject({ attempts: 10, outcome: 'unknown' })
    expect((await at(t)).data.bad).toBeGreaterThan(0)
    expect((await at(t)).status).not.toBe('stalled')
    await stop(t)
    await t.end()
  })

  test('is stopped at once while it asks', async () => {
    const t = make()
    t.fake(check, hangs())
    await start(t)
    expect((await at(t)).state).toBe('checking')
    expect(await stop(t)).toMatchObject({ outcome: 'applied', state: 'stopped' })
    expect(await t.path(monitor, 'w')).toEqual(['checking', 'stopped'])
    await t.end()
  })

  test('asks for hours', async () => {
    const t = make()
    t.fake(check, answers({ up: true }))
    await start(t)
    await t.advance('6 hours')
    expect(t.calls(check)).toHaveLength(2 * 60 * 6 + 1)
    await stop(t)
    await t.end()
  })
})
