import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, late, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { seen } from '../../test/support/seen.ts'
import {
  agent,
  Answered,
  Approve,
  Ask,
  ask,
  bossMachine,
  GaveUp,
  model,
  plan,
  quick,
  runTool,
  Said,
  services,
  toolCall,
} from './agent.ts'

const make = (): Harness => harness({ services })
const at = (t: Harness) => seen(t, agent, 'r')
const tool = (t: Harness, id = 'r/1/0') => seen(t, toolCall, id)
const begin = (t: Harness) => t.app.emit(Ask({ run: 'r', question: 'who was Ada?' }))
const say = (t: Harness, text: string) => t.app.send(agent, 'r', Said({ text }))
const approve = (t: Harness, ok: boolean) => t.app.send(toolCall, 'r/1/0', Approve({ ok }), { by: 'ann' })
const call = (id: string, name: 'search' | 'sql' | 'email') => ({ id, tool: name, args: { q: id } })
const asks = (...calls: ReturnType<typeof call>[]) => answers({ text: 'let me see', calls })
const says = (text: string) => answers({ text, calls: [] })
const user = (text: string) => ({ role: 'user', text })
const heard = (t: Harness) => t.calls(model).at(-1)?.input.messages
async function close(t: Harness): Promise<void> {
  await t.advance('1 day')
  await t.end()
}
/** An agent whose mail waits for a human. */
async function mailing(): Promise<Harness> {
  const t = make()
  t.fake(model, sequence(asks(call('c', 'email')), says('that is all')))
  await begin(t)
  expect([(await at(t)).state, (await tool(t)).state]).toEqual(['acting', 'asking'])
  return t
}

test('the drawings in the README are those of the machines', () => {
  expect(drawingFaults(import.meta.dirname, [toolCall, agent, quick, bossMachine])).toEqual([])
})

describe('a question', () => {
  test('is answered at once where no tool is needed, and closed after a day', async () => {
    const t = make()
    t.fake(model, says('a countess'))
    await begin(t)
    expect(await at(t)).toMatchObject({ state: 'answered', data: { answer: 'a countess', turns: 0 } })
    expect(heard(t)).toEqual([user('who was Ada?')])
    expect(t.emitted(Answered).map(({ data }) => data)).toEqual([{ run: 'r', text: 'a countess' }])
    await t.advance('23 hours')
    expect((await at(t)).state).toBe('answered')
    await t.advance('1 hour')
    expect(await at(t)).toMatchObject({ state: 'closed', status: 'done' })
    await t.end()
  })

  test('is answered with what tools say, turn by turn, each turn once', async () => {
    const t = make()
    t.fake(model, sequence(asks(call('a', 'search'), call('a', 'sql')), asks(call('b', 'search')), says('done')))
    t.fake(runTool, ({ tool: name, id }) => ({ text: `${name} ${id}` }))
    await begin(t)
    expect(await t.path(agent, 'r')).toEqual(['thinking', 'acting', 'thinking', 'acting', 'thinking', 'answered'])
    expect(heard(t)).toEqual([
      user('who was Ada?'),
      { role: 'assistant', text: 'let me see' },
      { role: 'tool', text: 'search a', callId: 'a' },
      { role: 'tool', text: 'sql a', callId: 'a' },
      { role: 'assistant', text: 'let me see' },
      { role: 'tool', text: 'search b', callId: 'b' },
    ])
    expect((await at(t)).data).toMatchObject({ turns: 2, answer: 'done' })
    expect((await tool(t)).status).toBe('done')
    expect(t.calls(runTool).map(({ input }) => input)).toEqual([
      call('a', 'search'),
      call('a', 'sql'),
      call('b', 'search'),
    ])
    await close(t)
  })

  test('asked by the function waits for the answer, or says why there is none', async () => {
    const t = make()
    expect((await ask(t.app, 'who was Ada?', 'kim')).answer).toContain('search')
    t.fake(model, refuses('Refused'))
    expect((await ask(t.app, 'how to make a bomb?', 'kim')).answer).toBe('refused')
    await close(t)
  })

  test('that the model refuses ends', async () => {
    const t = make()
    t.fake(model, refuses('Refused'))
    await begin(t)
    expect(await at(t)).toMatchObject({ state: 'refused', status: 'failed' })
    await t.end()
  })

  test('is followed by another', async () => {
    const t = make()
    t.fake(model, says('a'))
    await begin(t)
    await say(t, 'and then?')
    expect(await at(t)).toMatchObject({ state: 'answered', data: { last: 20 } })
    expect(heard(t)).toEqual([user('who was Ada?'), user('and then?')])
    expect(t.emitted(Answered)).toHaveLength(2)
    await close(t)
  })

  test('is followed by another while the model thinks: that waits for the answer', async () => {
    const t = make()
    t.fake(model, sequence(late('5 seconds', { text: 'a', calls: [] }), says('b')))
    await begin(t)
    expect(await say(t, 'and then?')).toMatchObject({ outcome: 'deferred', state: 'thinking' })
    await t.advance('5 seconds')
    expect(await t.path(agent, 'r')).toEqual(['thinking', 'answered', 'thinking', 'answered'])
    expect(t.emitted(Answered).map(({ data }) => data.text)).toEqual(['a', 'b'])
    await close(t)
  })

  test('is asked of a model that is out of order: it stands still until an operator tries again', async () => {
    const t = make()
    t.fake(model, throws('overloaded'))
    await begin(t)
    await t.advance('2 minutes')
    expect(await at(t)).toMatchObject({ state: 'thinking', status: 'stalled' })
    expect(t.calls(model)).toMatchObject([{ attempts: 6, outcome: 'unknown' }])
    t.fake(model, says('a'))
    await t.app.operate.retry(agent, 'r', { why: 'it is back' })
    expect((await at(t)).state).toBe('answered')
    await close(t)
  })
})

describe('what is too much', () => {
  test('a talk that is too long for the model is shortened to the last four', async () => {
    const t = make()
    t.fake(model, sequence(asks(call('a', 'search')), asks(call('b', 'search')), refuses('ContextTooLong'), says('x')))
    t.fake(runTool, ({ id }) => ({ text: id }))
    await begin(t)
    expect((await t.path(agent, 'r')).slice(-3)).toEqual(['compacting', 'thinking', 'answered'])
    expect(heard(t)?.map(({ text }) => text)).toEqual(['let me see', 'a', 'let me see', 'b'])
    await close(t)
  })

  test('one that cannot be shortened ends', async () => {
    const t = make()
    t.fake(model, refuses('ContextTooLong'))
    await begin(t)
    expect(await t.path(agent, 'r')).toEqual(['thinking', 'exhausted'])
    expect((await at(t)).status).toBe('failed')
    await t.end()
  })

  test('twenty turns are enough for one question, and the next has twenty of its own', async () => {
    const t = make()
    t.fake(model, sequence(asks(call('a', 'search')), says('a'), asks(call('a', 'search'))))
    await begin(t)
    await say(t, 'and then?')
    expect(await at(t)).toMatchObject({ state: 'exhausted', status: 'failed', data: { turns: 21, last: 21 } })
    expect(t.calls(runTool)).toHaveLength(21)
    await t.end()
  })

  test('ten minutes: thinking is cut off', async () => {
    const t = make()
    t.fake(model, hangs())
    await begin(t)
    await t.advance('9 minutes')
    expect((await at(t)).state).toBe('thinking')
    await t.advance('1 minute')
    expect(await t.path(agent, 'r')).toEqual(['thinking', 'exhausted'])
    await t.end()
  })

  test('ten minutes in all, not for each turn', async () => {
    const t = make()
    t.fake(model, late('50 seconds', { text: '', calls: [call('a', 'search')] }))
    t.fake(runTool, late('30 seconds', { text: '' }))
    await begin(t)
    await t.advance('599 seconds')
    expect((await at(t)).status).not.toBe('failed')
    await t.advance('1 second')
    expect(await at(t)).toMatchObject({ state: 'exhausted', data: { turns: 7 } })
    await t.advance('1 minute')
    await t.end()
  })

  test('sixty calls of the model a minute, over all agents', async () => {
    const t = make()
    t.fake(model, says('a'))
    for (let n = 0; n < 61; n++) await t.app.emit(Ask({ run: `r${n}`, question: '' }))
    const answered = () => t.emitted(Answered).length
    await t.settle()
    expect(answered()).toBe(60)
    await t.advance('1 minute')
    expect(answered()).toBe(61)
    await close(t)
  })
})

describe('a tool', () => {
  test('that needs a human runs after a yes, and it is known whose', async () => {
    const t = await mailing()
    expect(t.calls(runTool)).toEqual([])
    await approve(t, true)
    expect(await t.path(toolCall, 'r/1/0')).toEqual(['choosing', 'asking', 'running', 'answered'])
    expect((await tool(t)).data.approvedBy).toBe('ann')
    expect((await at(t)).state).toBe('answered')
    await close(t)
  })

  test('that a human refuses is not run, and the model is told', async () => {
    const t = await mailing()
    await approve(t, false)
    expect(await t.path(toolCall, 'r/1/0')).toEqual(['choosing', 'asking', 'answered'])
    expect(heard(t)?.at(-1)).toMatchObject({ role: 'tool', text: 'a human refused this' })
    expect(t.calls(runTool)).toEqual([])
    await close(t)
  })

  test('that no human looks at for five minutes is not run', async () => {
    const t = await mailing()
    await t.advance('4 minutes')
    expect((await tool(t)).state).toBe('asking')
    await t.advance('1 minute')
    expect(heard(t)?.at(-1)?.text).toBe('nobody answered')
    expect(await approve(t, true)).toMatchObject({ outcome: 'refused', why: 'ended' })
    expect(t.calls(runTool)).toEqual([])
    await close(t)
  })

  test('that waits for a human when the time is up is not run any more', async () => {
    const t = make()
    t.fake(model, sequence(late('110 seconds', { text: '', calls: [call('c', 'email')] })))
    await begin(t)
    // Mails at 1:50 and 8:40, each of which waits five minutes at most.
    await t.advance('10 minutes')
    expect((await at(t)).state).toBe('exhausted')
    expect(t.emitted(GaveUp).map(({ data }) => data)).toEqual([{ run: 'r', tools: ['r/2/0'] }])
    expect(await tool(t, 'r/2/0')).toMatchObject({ state: 'answered', data: { text: 'too late' } })
    expect(t.calls(runTool)).toEqual([])
    await t.end()
  })

  test('that is at work when the time is up ends its work, and nobody waits for it', async () => {
    const t = make()
    t.fake(model, asks(call('a', 'search')))
    t.fake(runTool, sequence(throws(), late('50 seconds', { text: 'x' })))
    await begin(t)
    await t.advance('10 minutes')
    expect((await at(t)).state).toBe('exhausted')
    await t.advance('1 minute')
    const last = t.calls(runTool).length
    expect(t.calls(runTool).every(({ outcome }) => outcome === 'done')).toBe(true)
    expect((await tool(t, `r/${last}/0`)).state).toBe('answered')
    await t.end()
  })

  test.each([
    ['was given nonsense', refuses('BadArguments', 'no such table'), 'error: no such table'],
    ['broke off', throws('connection lost'), 'it may have been done: connection lost'],
  ] as const)('that %s tells the model so', async (_, did, text) => {
    const t = make()
    t.fake(model, sequence(asks(call('a', 'sql')), says('x')))
    t.fake(runTool, did)
    await begin(t)
    await t.advance('5 minutes')
    expect((await at(t)).state).toBe('answered')
    expect(heard(t)?.at(-1)).toEqual({ role: 'tool', text, callId: 'a' })
    await close(t)
  })

  test('that somebody cancels counts as answered', async () => {
    const t = await mailing()
    await t.app.get(toolCall, 'r/1/0').cancel({ why: 'not this one', by: 'ann' })
    expect(heard(t)?.at(-1)?.text).toBe('somebody stopped this')
    expect((await at(t)).state).toBe('answered')
    await close(t)
  })

  test('is cancelled with its agent', async () => {
    const t = await mailing()
    await t.app.get(agent, 'r').cancel({ why: 'not interested' })
    expect((await at(t)).status).toBe('cancelled')
    expect(await tool(t)).toMatchObject({ state: 'answered', data: { text: 'somebody stopped this' } })
    await t.end()
  })

  test('is run once though the worker crashes as a human says yes', async () => {
    const t = await mailing()
    t.crashAt(1, { applied: true })
    await approve(t, true).catch(() => approve(t, true))
    await t.advance('1 minute')
    expect((await at(t)).state).toBe('answered')
    expect(t.calls(runTool)).toHaveLength(1)
    await close(t)
  })
})

describe('plain calls', () => {
  const run = (t: Harness) => t.app.run(quick, { id: 'q', data: { messages: [{ role: 'user', text: 'who?' }] } })

  test('answer the model, all at once', async () => {
    const t = make()
    t.fake(model, sequence(asks(call('a', 'search'), call('b', 'sql')), says('x')))
    t.fake(runTool, ({ id }) => ({ text: id }))
    await run(t)
    expect(await t.path(quick, 'q')).toEqual(['thinking', 'acting', 'thinking', 'done'])
    expect(heard(t)).toEqual([
      user('who?'),
      { role: 'tool', text: 'a', callId: 'a' },
      { role: 'tool', text: 'b', callId: 'b' },
    ])
    expect((await seen(t, quick, 'q')).status).toBe('done')
    await t.end()
  })

  test.each([
    ['the model', refuses('Refused'), answers({ text: '' })],
    ['a tool', asks(call('a', 'sql')), refuses('BadArguments')],
  ] as const)('fail with %s', async (_, thinks, does) => {
    const t = make()
    t.fake(model, thinks)
    t.fake(runTool, does)
    await run(t)
    expect(await seen(t, quick, 'q')).toMatchObject({ state: 'failed', status: 'failed' })
    await t.end()
  })
})

describe('a boss', () => {
  test('divides its goal among others of its kind, and they theirs', async () => {
    const t = make()
    const parts: Record<string, string[]> = { xyz: ['xy', 'z'], xy: ['x', 'y'] }
    t.fake(plan, ({ goal }) => ({ parts: parts[goal] ?? [], answer: goal.toUpperCase() }))
    await t.app.run(bossMachine, { id: 'b', data: { goal: 'xyz' } })
    expect(await t.path(bossMachine, 'b')).toEqual(['planning', 'delegating', 'done'])
    expect(await t.path(bossMachine, 'b/0/1')).toEqual(['planning', 'done'])
    expect(await seen(t, bossMachine, 'b')).toMatchObject({ status: 'done', data: { answer: 'X\nY\nZ' } })
    expect(t.calls(plan)).toHaveLength(5)
    await t.end()
  })

  test('waits for whom it has asked', async () => {
    const t = make()
    t.fake(
      plan,
      sequence(
        answers({ parts: ['x', 'y'], answer: '' }),
        answers({ parts: [], answer: 'x' }),
        late('1 minute', { parts: [], answer: 'y' }),
      ),
    )
    await t.app.run(bossMachine, { id: 'b', data: { goal: 'x and y' } })
    expect((await seen(t, bossMachine, 'b')).state).toBe('delegating')
    await t.advance('59 seconds')
    expect((await seen(t, bossMachine, 'b')).state).toBe('delegating')
    await t.advance('1 second')
    expect(await seen(t, bossMachine, 'b')).toMatchObject({ state: 'done', data: { answer: 'x\ny' } })
    await t.end()
  })
})
