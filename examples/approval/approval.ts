// People in the loop: an approval that goes up a chain with reminders, a board that votes N of M, a monitor that loops until it is stopped.
import { activity, command, event, machine, service, type App } from 'pawl'
import * as z from 'zod'

// ── an approval chain ───────────────────────────────────────────────────────────────────────────────────────────

export const Remind = event('approval.remind', {
  data: z.object({ id: z.string(), to: z.string(), urgency: z.enum(['low', 'high']) }),
  key: (d) => d.id,
})
export const Escalated = event('approval.escalated', {
  data: z.object({ id: z.string(), to: z.string() }),
  key: (d) => d.id,
})
export const Approve = command('approval.approve', { data: z.object({}) })
export const Reject = command('approval.reject', { data: z.object({ reason: z.string() }) })
const Approval = z.object({
  chain: z.array(z.string()).min(1),
  level: z.number().default(0),
  reminded: z.number().default(0),
  by: z.string().optional(),
  reason: z.string().optional(),
})
export const approval = machine('approval', {
  data: Approval,
  receives: [Approve, Reject],
  emits: [Remind, Escalated],
  initial: 'asking',
  groups: {
    // Three days for one approver: from entering the group, through all the reminders.
    open: {
      states: ['asking', 'waiting'],
      after: { '3 days': 'escalating' },
      on: {
        // Somebody else's answer is `refused`: the sender is told, nothing changes.
        'approval.approve': {
          if: ({ data, cause }) => cause.by === data.chain[data.level],
          to: 'approved',
          set: { by: ({ cause }) => cause.by },
        },
        'approval.reject': {
          if: ({ data, cause }) => cause.by === data.chain[data.level],
          to: 'rejected',
          set: ({ cause, message }) => ({ by: cause.by, reason: message.reason }),
        },
      },
    },
  },
  states: {
    asking: {
      emit: {
        'approval.remind': ({ id, data }) => ({
          id,
          to: data.chain[data.level] ?? '',
          urgency: data.reminded > 1 ? 'high' : 'low',
        }),
      },
      always: [{ to: 'waiting', set: { reminded: ({ data }) => data.reminded + 1 } }],
    },
    waiting: { after: { '1 day': 'asking' } },
    escalating: {
      always: [
        { if: ({ data }) => data.level + 1 >= data.chain.length, to: 'expired' },
        {
          to: 'asking',
          set: ({ data }) => ({ level: data.level + 1, reminded: 0 }),
          emit: { 'approval.escalated': ({ id, data }) => ({ id, to: data.chain[data.level] ?? '' }) },
        },
      ],
    },
    approved: { final: 'done' },
    rejected: { final: 'failed' },
    expired: { final: 'failed' },
  },
})

// ── a board, N of M: record, then look ──────────────────────────────────────────────────────────────────────────

export const Vote = command('board.vote', { data: z.object({ yes: z.boolean() }) })
export const board = machine('board', {
  data: z.object({
    members: z.array(z.string()),
    needed: z.number(),
    votes: z.record(z.string(), z.boolean()).default({}),
  }),
  receives: [Vote],
  initial: 'voting',
  states: {
    voting: {
      on: {
        'board.vote': {
          if: ({ data, cause: { by } }) => by !== undefined && data.members.includes(by) && !(by in data.votes),
          set: { votes: ({ data, cause, message }) => ({ ...data.votes, [cause.by ?? '']: message.yes }) },
        },
      },
      always: [
        { if: ({ data }) => Object.values(data.votes).filter((v) => v).length >= data.needed, to: 'passed' },
        {
          if: ({ data }) => Object.values(data.votes).filter((v) => !v).length > data.members.length - data.needed,
          to: 'refused',
        },
      ],
      after: { '7 days': 'refused' },
    },
    passed: { final: 'done' },
    refused: { final: 'failed' },
  },
})

// ── a monitor ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Asking a site changes nothing there, so stopping need not wait for the answer. */
export const check = activity('site.check', {
  input: z.object({ url: z.string() }),
  output: z.object({ up: z.boolean() }),
  interruptible: true,
  timeout: '10 seconds',
  run: async ({ url }, { signal }) => ({ up: (await fetch(url, { signal })).ok }),
})
export const Stop = command('monitor.stop', { data: z.object({}) })
export const monitor = machine('monitor', {
  data: z.object({ url: z.string(), bad: z.number().default(0) }),
  receives: [Stop],
  initial: 'checking',
  groups: { running: { states: ['checking', 'sleeping'], on: { 'monitor.stop': 'stopped' } } },
  states: {
    checking: {
      call: check,
      input: ({ data }) => ({ url: data.url }),
      done: { to: 'sleeping', set: { bad: ({ result, data }) => (result.up ? 0 : data.bad + 1) } },
      fail: { to: 'sleeping', set: { bad: ({ data }) => data.bad + 1 } },
    },
    sleeping: { after: { '30 seconds': 'checking' } },
    stopped: { final: 'done' },
  },
})

export const services = [service('people', { machines: [approval, board, monitor] })]

/** What a web page tells the user who pressed the button. */
export async function approve(app: App, id: string, user: string): Promise<string> {
  const receipt = await app.send(approval, id, Approve({}), { by: user })
  if (receipt.outcome === 'applied') return 'approved'
  if (receipt.outcome === 'refused')
    return receipt.why === 'ended' ? `it was ${receipt.state} already` : 'it is not yours to approve'
  return 'we are looking into it'
}
