// Two builds of what the simulation runs. The newer one has a message that the older one does not know, and second versions of two
// machines: states have other names there, data have a field more, and an open call is kept over the migration.
import { machine } from '../../machine/machine.ts'
import { command } from '../../machine/message.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import { Add, Close, Counted, counted, counter, mail, machines, Noted, noted, tally } from './machines.ts'
import { fields } from './schema.ts'

/** What a worker is built of. */
export type Build = 'old' | 'new'

/** To a counter of the second version. */
export const Note = command('counter.note', { data: fields<object>() })

const counterNext = machine('counter', {
  version: 2,
  data: fields<{ ids: string[]; rests: number; notes: number }>('ids', 'rests', 'notes'),
  receives: [Add, Close, Note],
  emits: [Counted],
  migrate: {
    1: {
      from: counter,
      to: ({ state, data }) => ({
        state: state === 'resting' ? 'pausing' : state,
        data: { ...data, notes: 0 },
      }),
    },
  },
  initial: 'counting',
  groups: {
    open: {
      states: ['counting', 'pausing', 'full'],
      on: { 'counter.close': 'closed', 'counter.note': { set: ({ data }) => ({ notes: data.notes + 1 }) } },
      after: { '40 seconds': 'closed' },
    },
  },
  states: {
    counting: {
      on: { 'counter.add': { set: ({ data, message }) => ({ ids: [...data.ids, message.id] }), emit: counted } },
      always: [{ if: ({ data }) => data.ids.length >= 9, to: 'full' }],
      after: { '8 seconds': { to: 'pausing', set: ({ data }) => ({ rests: data.rests + 1 }) } },
    },
    pausing: { after: { '5 seconds': 'counting' } },
    full: { on: { 'counter.add': { if: () => false } } },
    closed: { final: 'done' },
  },
})

const tallyNext = machine('tally', {
  version: 2,
  data: fields<{ counts: number[] }>('counts'),
  receives: [Counted],
  emits: [Noted],
  migrate: {
    1: {
      from: tally,
      to: ({ state, data }) => ({
        state: state === 'noting' ? 'writing' : state,
        data,
        calls: 'keep',
      }),
    },
  },
  start: { 'counter.counted': ({ count }) => ({ counts: [count] }) },
  correlate: { 'counter.counted': ({ counter: id }) => `tally-of-${id}` },
  initial: 'writing',
  states: {
    writing: {
      call: mail,
      input: ({ id, data }) => ({ to: `${id} at ${data.counts.length}` }),
      done: 'open',
      fail: 'open',
    },
    open: {
      on: {
        'counter.counted': {
          to: 'aside',
          set: ({ data, message }) => ({ counts: [...data.counts, message.count] }),
          emit: noted,
        },
      },
    },
    aside: {
      always: [{ if: ({ data }) => data.counts.length % 3 === 0, to: 'writing' }],
      after: { '500 ms': 'open' },
    },
  },
})

const next = new Map<AnyMachine, AnyMachine>([
  [counter, counterNext],
  [tally, tallyNext],
])

/** The machines of each build. */
export const builds: Readonly<Record<Build, readonly AnyMachine[]>> = {
  old: machines,
  new: machines.map((one) => next.get(one) ?? one),
}
