import { expect, test } from 'vitest'
import { answers, harness, refuses, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../../test/support/diagram.ts'
import { acceptance } from '../acceptance.ts'
import { checkRisk, CodeEntered, sendCode, SignedUp, welcome, Withdrawn } from '../messages.ts'
import { confirmation, notification, security, services, user } from './registration.ts'

acceptance({ name: 'choreographed', services, user, mailer: confirmation })

const u = { userId: 'kim' }
const all = [user, security, confirmation, notification]
/** How each of the four has ended. */
const ends = async (t: Harness) => {
  await t.settle()
  const snapshots = await Promise.all(all.map((one) => t.app.get(one, 'kim').state()))
  return snapshots.map(({ state, status }) => `${state}: ${status}`)
}
async function signedUp(t = harness({ services })): Promise<Harness> {
  t.fake(sendCode, answers({ code: '123456' }))
  await t.app.emit(SignedUp({ ...u, email: 'kim@example.org', country: 'DE' }))
  await t.settle()
  return t
}

test('the drawings in the README are those of the machines', () => {
  expect(drawingFaults(import.meta.dirname, all)).toEqual([])
})

test('each of the four has a journal of its own, and comes to an end', async () => {
  const t = await signedUp()
  await t.app.emit(CodeEntered({ ...u, code: '123456' }))
  expect(await t.path(user, 'kim')).toEqual(['open', 'registered'])
  expect(await t.path(security, 'kim')).toEqual(['checking', 'cleared'])
  expect(await t.path(confirmation, 'kim')).toEqual(['waiting', 'mailing', 'confirming', 'confirmed'])
  expect(await t.path(notification, 'kim')).toEqual(['listening', 'welcoming', 'told'])
  await t.end()
})

test('who is blocked stops the others', async () => {
  const t = harness({ services })
  t.fake(checkRisk, refuses('Blocked'))
  await signedUp(t)
  expect(await ends(t)).toEqual(['rejected: failed', 'blocked: failed', 'stopped: cancelled', 'silent: cancelled'])
  await t.end()
})

test('who withdraws stops the others', async () => {
  const t = await signedUp()
  await t.app.emit(Withdrawn(u))
  expect(await ends(t)).toEqual(['rejected: failed', 'cleared: done', 'stopped: cancelled', 'silent: cancelled'])
  await t.end()
})

test('who does not confirm stops the others, and one who cannot be welcomed is a user', async () => {
  const late = await signedUp()
  await late.advance('1 day')
  expect(await ends(late)).toEqual(['rejected: failed', 'cleared: done', 'failed: failed', 'silent: cancelled'])
  await late.end()
  const t = await signedUp()
  t.fake(welcome, refuses('Bounced'))
  await t.app.emit(CodeEntered({ ...u, code: '123456' }))
  expect(await ends(t)).toEqual(['registered: done', 'cleared: done', 'confirmed: done', 'untold: failed'])
  await t.end()
})
