// What must hold of a registration, however it is built: both ways pass the same test, which knows no state of either.
import type { Machine, Service } from 'pawl'
import { answers, harness, late, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { describe, expect, test } from 'vitest'
import {
  checkRisk,
  CodeEntered,
  sendCode,
  SignedUp,
  UserRegistered,
  UserRejected,
  welcome,
  Withdrawn,
} from './messages.ts'

/** One way to register users. */
export interface Way {
  readonly name: string
  readonly services: readonly Service[]
  /** Ends when the registration has. */
  readonly user: Machine
  /** Who mails the code, and waits for it. */
  readonly mailer: Machine
}

const u = { userId: 'kim' }
const signUp = SignedUp({ ...u, email: 'kim@example.org', country: 'DE' })
const enter = (t: Harness, code: string) => t.app.emit(CodeEntered({ ...u, code }))

/** What the world was told, in order. */
const told = async (t: Harness) => {
  await t.settle()
  const all = t.emitted() as readonly { type: string; data: { why?: string } }[]
  return all
    .filter(({ type }) => type === UserRegistered.type || type === UserRejected.type)
    .map(({ type, data }) => data.why ?? type)
}
const called = (t: Harness) => t.calls().map(({ name }) => name)
const failed = ['code', 'cod', ''] as const

const make = ({ services }: Way): Harness => {
  const t = harness({ services })
  t.fake(sendCode, answers({ code: '123456' }))
  return t
}
/** The code is mailed, and waited for. */
const mailed = async (way: Way): Promise<Harness> => {
  const t = make(way)
  await t.app.emit(signUp)
  await t.settle()
  return t
}
const endsAs = async (t: Harness, { user }: Way, ...what: readonly string[]): Promise<void> => {
  expect(await told(t)).toEqual(what)
  const { status } = await t.app.get(user, 'kim').state()
  expect(status).toBe(what[0] === 'user.registered' ? 'done' : 'failed')
  await t.end()
}

function signUps(way: Way): void {
  describe(`${way.name}: who signs up`, () => {
    test('and enters the code is a user, and welcome', async () => {
      const t = await mailed(way)
      expect(await told(t)).toEqual([])
      await enter(t, '123456')
      expect(await told(t)).toEqual(['user.registered'])
      expect(t.calls().map((call) => [call.name, call.input])).toEqual([
        ['security.check', { email: 'kim@example.org', country: 'DE' }],
        ['mail.send-code', { email: 'kim@example.org' }],
        ['mail.welcome', { email: 'kim@example.org' }],
      ])
      await endsAs(t, way, 'user.registered')
    })

    test('twice is one user', async () => {
      const t = await mailed(way)
      await t.app.emit(signUp)
      await enter(t, '123456')
      await t.settle()
      expect(called(t)).toEqual(['security.check', 'mail.send-code', 'mail.welcome'])
      await endsAs(t, way, 'user.registered')
    })

    test('and enters the right code at the third attempt is a user', async () => {
      const t = await mailed(way)
      await enter(t, failed[0])
      await enter(t, failed[1])
      await enter(t, '123456')
      await endsAs(t, way, 'user.registered')
    })

    test('and whose welcome bounces is a user all the same', async () => {
      const t = make(way)
      t.fake(welcome, refuses('Bounced'))
      await t.app.emit(signUp)
      await enter(t, '123456')
      await endsAs(t, way, 'user.registered')
    })

    test('and whose welcome cannot be sent is a user all the same', async () => {
      const t = make(way)
      t.fake(welcome, throws('no connection'))
      await t.app.emit(signUp)
      await enter(t, '123456')
      await t.advance('1 hour')
      await endsAs(t, way, 'user.registered')
    })
  })
}

function rejections(way: Way): void {
  describe(`${way.name}: who is rejected`, () => {
    test('is blocked', async () => {
      const t = make(way)
      t.fake(checkRisk, refuses('Blocked'))
      await t.app.emit(signUp)
      expect(await told(t)).toEqual(['blocked'])
      expect(called(t)).toEqual(['security.check'])
      await endsAs(t, way, 'blocked')
    })

    test.each([
      [80, []],
      [81, ['blocked']],
    ])('has a risk of more than eighty (%i)', async (risk, what) => {
      const t = make(way)
      t.fake(checkRisk, answers({ risk }))
      await t.app.emit(signUp)
      expect(await told(t)).toEqual(what)
      if (risk === 80) await enter(t, '123456')
      await endsAs(t, way, ...(risk === 80 ? ['user.registered'] : what))
    })

    test('enters three wrong codes, and then a right one', async () => {
      const t = await mailed(way)
      for (const code of failed) await enter(t, code)
      await enter(t, '123456')
      expect(called(t)).toEqual(['security.check', 'mail.send-code'])
      await endsAs(t, way, 'not confirmed')
    })

    test('enters nothing for a day', async () => {
      const t = await mailed(way)
      await t.advance('23 hours')
      expect(await told(t)).toEqual([])
      await t.advance('1 hour')
      await endsAs(t, way, 'not confirmed')
    })

    test('is rejected by an operator', async () => {
      const t = await mailed(way)
      await t.app.get(way.user, 'kim').cancel({ why: 'asked by phone' })
      await endsAs(t, way, 'withdrawn')
    })
  })
}

function withdrawals(way: Way): void {
  describe(`${way.name}: who withdraws`, () => {
    test('while they are checked gets no mail', async () => {
      const t = make(way)
      t.fake(checkRisk, late('5 seconds', { risk: 1 }))
      await t.app.emit(signUp)
      await t.app.emit(Withdrawn(u))
      await t.advance('5 seconds')
      expect(called(t)).toEqual(['security.check'])
      await endsAs(t, way, 'withdrawn')
    })

    test('while the code is mailed is out when it is', async () => {
      const t = make(way)
      t.fake(sendCode, late('5 seconds', { code: '123456' }))
      await t.app.emit(signUp)
      await t.app.emit(Withdrawn(u))
      await t.advance('5 seconds')
      await enter(t, '123456')
      await endsAs(t, way, 'withdrawn')
    })

    test('while the code is waited for is out, and the code is worth nothing', async () => {
      const t = await mailed(way)
      await t.app.emit(Withdrawn(u))
      await enter(t, '123456')
      await endsAs(t, way, 'withdrawn')
    })

    test('as they enter the code: one of the two, never both', async () => {
      const first = await mailed(way)
      await Promise.all([enter(first, '123456'), first.app.emit(Withdrawn(u))])
      expect(await told(first)).toHaveLength(1)
      await first.end()
      const last = await mailed(way)
      await Promise.all([last.app.emit(Withdrawn(u)), enter(last, '123456')])
      await endsAs(last, way, 'withdrawn')
    })

    test('when they are a user is too late', async () => {
      const t = await mailed(way)
      await enter(t, '123456')
      await t.settle()
      await t.app.emit(Withdrawn(u))
      await endsAs(t, way, 'user.registered')
    })
  })
}

function meetings(way: Way): void {
  describe(`${way.name}: what meets something else`, () => {
    test.each(['while they are checked', 'while it is mailed'])('a code that is entered %s waits', async (when) => {
      const t = make(way)
      if (when === 'while it is mailed') t.fake(sendCode, late('5 seconds', { code: '123456' }))
      else t.fake(checkRisk, late('5 seconds', { risk: 1 }))
      await t.app.emit(signUp)
      await enter(t, '123456')
      await t.advance('5 seconds')
      await endsAs(t, way, 'user.registered')
    })

    test('a mail that cannot be sent stands until an operator tries again, under the same key', async () => {
      const t = make(way)
      t.fake(sendCode, throws('no connection'))
      await t.app.emit(signUp)
      await t.advance('1 hour')
      expect((await t.app.get(way.mailer, 'kim').state()).status).toBe('stalled')
      t.fake(sendCode, answers({ code: '123456' }))
      await t.app.operate.retry(way.mailer, 'kim', { why: 'the mail server is back' })
      await t.settle()
      expect(new Set(t.calls(sendCode).map(({ key }) => key)).size).toBe(1)
      await enter(t, '123456')
      await endsAs(t, way, 'user.registered')
    })

    test('a check that answers at the second attempt', async () => {
      const t = make(way)
      t.fake(checkRisk, sequence(throws(), answers({ risk: 1 })))
      await t.app.emit(signUp)
      await t.advance('1 second')
      await enter(t, '123456')
      await endsAs(t, way, 'user.registered')
    })

    test.each([true, false])('a crash at any commit (applied: %s)', async (applied) => {
      const one = async (n: number): Promise<boolean> => {
        const t = make(way)
        t.crashAt(n, { applied })
        for (const [i, message] of [signUp, CodeEntered({ ...u, code: '123456' })].entries()) {
          const say = () => t.app.emit(message, { id: `m${i}` })
          // Who got no answer asks again, under the same id.
          await say().catch(say)
          await t.advance('1 second')
        }
        expect(await told(t)).toEqual(['user.registered'])
        expect(called(t)).toEqual(['security.check', 'mail.send-code', 'mail.welcome'])
        // Rejects where the crash never came: then there are no more commits to crash at.
        return t.end().then(
          () => true,
          () => false,
        )
      }
      let n = 1
      while (await one(n)) n += 1
      expect(n).toBeGreaterThan(3)
    })
  })
}

/** The same test for each way. */
export function acceptance(way: Way): void {
  signUps(way)
  rejections(way)
  withdrawals(way)
  meetings(way)
}
