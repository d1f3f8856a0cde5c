import * as z from 'zod'
import { expect, test } from 'vitest'
import { activity } from '../../../src/machine/activity.ts'
import { mermaid } from '../../../src/index.ts'
import { machine } from '../../../src/machine/machine.ts'
import { event } from '../../../src/machine/message.ts'

const data = z.object({})
const Happened = event('it:happened', { data, key: () => 'k' })
const ask = activity('ask', { input: data, output: data, failures: ['No', 'Never'], run: () => ({}) })

test('states with what they call, one arrow for all causes between two states, ends', () => {
  const drawn = machine('m', {
    data,
    receives: [Happened],
    initial: 'a',
    cancel: 'end',
    states: {
      a: { call: ask, done: 'say "b"', fail: { No: 'end', Never: 'end' } },
      'say "b"': { on: { 'it:happened': [{ if: () => true, to: 'end' }, {}] }, after: { '1 day': 'a' } },
      end: { final: 'failed' },
    },
  })
  expect(mermaid(drawn)).toBe(`stateDiagram-v2
  state "a (ask)" as s0
  state "say #34;b#34;" as s1
  state "end" as s2
  [*] --> s0
  s0 --> s1 : done
  s0 --> s2 : failed#58; No, failed#58; Never, cancel
  s1 --> s2 : it#58;happened, cancel
  s1 --> s0 : after 1 day
  s2 --> [*] : failed
`)
})
