// An agent: a model that calls tools and goes on with what they answer, some of them only after a human said yes; agents that start agents.
// Shows: a loop of calls and children, results of children in the data, a time budget over several states, the same with plain calls,
// recursion through a contract, `cause.by`, a rate that the model's owner sets.
import * as z from 'zod'
import { event, command, activity, machine, contract, service, pawl } from './api.ts'

const ToolCall = z.object({
  id: z.string(),
  tool: z.enum(['search', 'sql', 'email']),
  args: z.record(z.string(), z.unknown()),
})
const Msg = z.object({ role: z.enum(['user', 'assistant', 'tool']), text: z.string(), callId: z.string().optional() })
const Ask = event('agent.asked', { data: z.object({ run: z.string(), question: z.string() }), key: (d) => d.run })
const Answered = event('agent.answered', { data: z.object({ run: z.string(), text: z.string() }), key: (d) => d.run })
const Said = command('agent.say', { data: z.object({ text: z.string() }) })
const Approve = command('tool.approve', { data: z.object({ ok: z.boolean() }) })
// Thinking has no effect outside: the budget may cut it off. A tool may have one: it is waited for.
const model = activity('model.call', {
  input: z.object({ messages: z.array(Msg) }),
  output: z.object({ text: z.string(), calls: z.array(ToolCall) }),
  failures: ['ContextTooLong', 'Refused'],
  retry: { attempts: 6 },
  rate: { count: 60, per: '1 minute' },
  timeout: '2 minutes',
  interruptible: true,
  run: ({ messages }) => ({ text: `${messages.length}`, calls: [] }),
})
const runTool = activity('tool.run', {
  input: ToolCall,
  output: z.object({ text: z.string() }),
  failures: ['BadArguments'],
  timeout: '1 minute',
  run: ({ tool }) => ({ text: tool }),
})

// One tool call: retried, approved, refused on its own.
const toolCall = machine('tool-call', {
  data: z.object({ call: ToolCall, text: z.string().default(''), approvedBy: z.string().optional() }),
  receives: [Approve],
  initial: 'choosing',
  states: {
    choosing: { always: [{ if: ({ data }) => data.call.tool === 'email', to: 'asking' }, { to: 'running' }] },
    asking: {
      on: {
        'tool.approve': [
          { if: ({ message }) => message.ok, to: 'running', set: { approvedBy: ({ cause }) => cause.by } },
          { to: 'answered', set: { text: 'a human refused this' } },
        ],
      },
      after: { '1 day': { to: 'answered', set: { text: 'nobody answered' } } },
    },
    running: {
      call: runTool,
      input: ({ data }) => data.call,
      done: { to: 'answered', set: ({ result }) => result },
      fail: {
        to: 'answered',
        set: {
          text: ({ error }) =>
            error.outcome === 'unknown' ? `it may have been done: ${error.message}` : `error: ${error.message}`,
        },
      },
    },
    answered: { final: 'done' },
  },
})
const Agent = z.object({
  messages: z.array(Msg),
  calls: z.array(ToolCall).default([]),
  turns: z.number().default(0),
  answer: z.string().default(''),
})
export const agent = machine('agent', {
  data: Agent,
  receives: [Ask, Said],
  emits: [Answered],
  children: {
    tools: {
      of: toolCall,
      each: ({ id, data }) => data.calls.map((call) => ({ id: `${id}/${data.turns}/${call.id}`, data: { call } })),
      onCancel: 'cancel',
    },
  },
  start: { 'agent.asked': ({ question }) => ({ messages: [{ role: 'user', text: question }] }) },
  initial: 'thinking',
  groups: { budget: { states: ['thinking', 'acting', 'compacting'], after: { '10 minutes': 'exhausted' } } },
  states: {
    thinking: {
      call: model,
      input: ({ data }) => ({ messages: data.messages }),
      done: [
        { if: ({ data }) => data.turns > 20, to: 'exhausted' },
        {
          if: ({ result }) => result.calls.length > 0,
          to: 'acting',
          set: ({ data, result }) => ({
            calls: result.calls,
            turns: data.turns + 1,
            messages: [...data.messages, { role: 'assistant', text: result.text }],
          }),
        },
        { to: 'answered', set: { answer: ({ result }) => result.text } },
      ],
      fail: { ContextTooLong: 'compacting', Refused: 'refused' },
    },
    acting: {
      until: { tools: { all: 'answered' } },
      done: {
        to: 'thinking',
        set: {
          messages: ({ data, children }) => [
            ...data.messages,
            ...children.tools.map((c) => ({ role: 'tool' as const, text: c.data.text, callId: c.data.call.id })),
          ],
        },
      },
    },
    compacting: { always: [{ to: 'thinking', set: { messages: ({ data }) => data.messages.slice(-4) } }] },
    answered: {
      emit: { 'agent.answered': ({ id, data }) => ({ run: id, text: data.answer }) },
      on: {
        'agent.say': {
          to: 'thinking',
          set: { messages: ({ data, message }) => [...data.messages, { role: 'user', text: message.text }] },
        },
      },
      after: { '1 day': 'closed' },
    },
    exhausted: { final: 'failed' },
    refused: { final: 'failed' },
    closed: { final: 'done' },
  },
})

// The same with plain calls, where no tool needs a human.
const Quick = z.object({ messages: z.array(Msg), calls: z.array(ToolCall).default([]) })
export const quick = machine('quick', {
  data: Quick,
  initial: 'thinking',
  states: {
    thinking: {
      call: model,
      input: ({ data }) => ({ messages: data.messages }),
      done: [
        { if: ({ result }) => result.calls.length > 0, to: 'acting', set: ({ result }) => ({ calls: result.calls }) },
        { to: 'done' },
      ],
      fail: 'failed',
    },
    acting: {
      call: [runTool],
      input: ({ data }) => data.calls,
      done: {
        to: 'thinking',
        set: {
          messages: ({ data, results }) => [
            ...data.messages,
            ...results.map((r, i) => ({ role: 'tool' as const, text: r.text, callId: data.calls[i]?.id })),
          ],
        },
      },
      fail: 'failed',
    },
    done: { final: 'done' },
    failed: { final: 'failed' },
  },
})

// Recursion: an agent that starts agents of its own kind, through its own contract.
const boss = contract('boss', {
  data: z.object({ goal: z.string(), answer: z.string().default('') }),
  states: ['planning', 'delegating', 'done'],
  finals: ['done'],
})
const plan = activity('model.plan', {
  input: z.object({ goal: z.string() }),
  output: z.object({ parts: z.array(z.string()) }),
  run: ({ goal }) => ({ parts: goal.split(' and ').slice(1) }),
})
export const bossMachine = machine('boss', {
  data: z.object({ goal: z.string(), parts: z.array(z.string()).default([]), answer: z.string().default('') }),
  children: {
    parts: { of: boss, each: ({ id, data }) => data.parts.map((goal, i) => ({ id: `${id}/${i}`, data: { goal } })) },
  },
  initial: 'planning',
  states: {
    planning: {
      call: plan,
      input: ({ data }) => ({ goal: data.goal }),
      done: [
        { if: ({ result }) => result.parts.length > 0, to: 'delegating', set: ({ result }) => result },
        { to: 'done' },
      ],
    },
    delegating: {
      until: { parts: { all: 'done' } },
      done: { to: 'done', set: { answer: ({ children }) => children.parts.map((c) => c.data.answer).join('\n') } },
    },
    done: { final: 'done' },
  },
})

export const app = pawl({
  store: 'sqlite:agents.db',
  services: [service('agents', { machines: [toolCall, agent, quick, bossMachine] })],
})
export async function ask(question: string, user: string) {
  const handle = await app.run(agent, { data: { messages: [{ role: 'user', text: question }] }, by: user })
  const { state, data } = await handle.reaches(['answered', 'exhausted', 'refused'], { within: '15 minutes' })
  return { id: handle.id, answer: state === 'answered' ? data.answer : state }
}
