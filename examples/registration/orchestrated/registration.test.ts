import { expect, test } from 'vitest'
import { harness } from 'pawl/testing'
import { drawingFaults } from '../../../test/support/diagram.ts'
import { acceptance } from '../acceptance.ts'
import { CodeEntered, SignedUp } from '../messages.ts'
import { services, user } from './registration.ts'

acceptance({ name: 'orchestrated', services, user, mailer: user })

test('the drawing in the README is that of the machine', () => {
  expect(drawingFaults(import.meta.dirname, [user])).toEqual([])
})

test('one journal tells the whole story', async () => {
  const t = harness({ services })
  await t.app.emit(SignedUp({ userId: 'kim', email: 'kim@example.org', country: 'DE' }))
  await t.settle()
  await t.app.emit(CodeEntered({ userId: 'kim', code: 'wrong' }))
  const { data } = await t.app.get(user, 'kim').state()
  expect(data.wrong).toBe(1)
  await t.app.emit(CodeEntered({ userId: 'kim', code: data.code ?? '' }))
  expect(await t.path(user, 'kim')).toEqual(['checking', 'mailing', 'confirming', 'welcoming', 'registered'])
  await t.end()
})
