// An agent: a model that calls tools and goes on with what they answer, some of them only after a human said yes; and agents that start agents.
import { activity, command, contract, event, machine, service, type App } from 'pawl'
import * as z from 'zod'

// ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────

const ToolCall = z.object({
  id: z.string(),
  tool: z.enum(['search', 'sql', 'email']),
  args: z.record(z.string(), z.unknown()),
})
const Msg = z.object({ role: z.enum(['user', 'assistant', 'tool']), text: z.string(), callId: z.string().optional() })
export const Ask = event('agent.asked', {
  data: z.object({ run: z.string(), question: z.string() }),
  key: (d) => d.run,
})
export const Answered = event('agent.answered', {
  data: z.object({ run: z.string(), text: z.string() }),
  key: (d) => d.run,
})
export const GaveUp = event('agent.gave-up', {
  data: z.object({ run: z.string(), tools: z.array(z.string()) }),
  key: (d) => d.run,
})
export const Said = command('agent.say', { data: z.object({ text: z.string() }) })
export const Approve = command('tool.approve', { data: z.object({ ok: z.boolean() }) })
// ── what is done outside ─────────────────────────────────────────────────────────────────────────────────────────

/** Thinking has no effect outside: the budget may cut it off. */
export const model = activity('model.call', {
  input: z.object({ messages: z.array(Msg) }),
  output: z.object({ text: z.string(), calls: z.array(ToolCall) }),
  failures: ['ContextTooLong', 'Refused'],
  retry: { attempts: 6 },
  rate: { count: 60, per: '1 minute' },
  timeout: '2 minutes',
  interruptible: true,
  // Stands for a model: it searches for what it is asked, mails when it is told to, and then repeats what it has heard.
  run: ({ messages }) => {
    const last = messages.at(-1)
    if (last?.role !== 'user') return { text: `I know: ${last?.text ?? ''}`, calls: [] }
    const tool = last.text.startsWith('mail') ? 'email' : 'search'
    return { text: 'let me see', calls: [{ id: 'c', tool, args: { q: last.text } }] }
  },
})
/** A tool may have an effect: it is waited for. */
export const runTool = activity('tool.run', {
  input: ToolCall,
  output: z.object({ text: z.string() }),
  failures: ['BadArguments'],
  timeout: '1 minute',
  run: ({ tool, args }) => ({ text: `${tool} of ${JSON.stringify(args)}` }),
})

// ── one tool call: retried, approved, refused on its own ─────────────────────────────────────────────────────────

export const toolCall = machine('tool-call', {
  data: z.object({ call: ToolCall, text: z.string().default(''), approvedBy: z.string().optional() }),
  receives: [Approve, GaveUp],
  // Those that the agent has asked.
  correlate: { 'agent.gave-up': ({ tools }) => tools },
  initial: 'choosing',
  cancel: { to: 'answered', set: { text: 'somebody stopped this' } },
  states: {
    choosing: { always: [{ if: ({ data }) => data.call.tool === 'email', to: 'asking' }, { to: 'running' }] },
    asking: {
      on: {
        'tool.approve': [
          { if: ({ message }) => message.ok, to: 'running', set: { approvedBy: ({ cause }) => cause.by } },
          { to: 'answered', set: { text: 'a human refused this' } },
        ],
        // Nobody is interested any more: it must not be done when a human says yes tomorrow.
        'agent.gave-up': { to: 'answered', set: { text: 'too late' } },
      },
      after: { '5 minutes': { to: 'answered', set: { text: 'nobody answered' } } },
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

// ── the agent ────────────────────────────────────────────────────────────────────────────────────────────────────

// `last`: the turn after which it gives up; a turn is an answer that asks for tools.
const Agent = z.object({
  messages: z.array(Msg),
  calls: z.array(ToolCall).default([]),
  turns: z.number().default(0),
  last: z.number().default(20),
  answer: z.string().default(''),
})
/** So many messages are kept when they are too many for the model. */
const KEPT = 4
// By its place, not by the id that the model gave: it may give one twice.
const toolId = (run: string, turn: number, place: number) => `${run}/${turn}/${place}`

export const agent = machine('agent', {
  data: Agent,
  receives: [Ask, Said],
  emits: [Answered, GaveUp],
  children: {
    tools: {
      of: toolCall,
      each: ({ id, data }) => data.calls.map((call, n) => ({ id: toolId(id, data.turns, n), data: { call } })),
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
        { if: ({ result }) => result.calls.length === 0, to: 'answered', set: { answer: ({ result }) => result.text } },
        { if: ({ data }) => data.turns >= data.last, to: 'exhausted' },
        {
          to: 'acting',
          set: ({ data, result }) => ({
            calls: result.calls,
            turns: data.turns + 1,
            messages: [...data.messages, { role: 'assistant', text: result.text }],
          }),
        },
      ],
      fail: {
        ContextTooLong: [{ if: ({ data }) => data.messages.length > KEPT, to: 'compacting' }, { to: 'exhausted' }],
        Refused: 'refused',
      },
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
    compacting: { always: [{ to: 'thinking', set: { messages: ({ data }) => data.messages.slice(-KEPT) } }] },
    answered: {
      emit: { 'agent.answered': ({ id, data }) => ({ run: id, text: data.answer }) },
      on: {
        'agent.say': {
          to: 'thinking',
          set: ({ data, message }) => ({
            messages: [...data.messages, { role: 'user', text: message.text }],
            last: data.turns + 20,
          }),
        },
      },
      after: { '1 day': 'closed' },
    },
    exhausted: {
      emit: {
        'agent.gave-up': ({ id, data }) => ({ run: id, tools: data.calls.map((_, n) => toolId(id, data.turns, n)) }),
      },
      final: 'failed',
    },
    refused: { final: 'failed' },
    closed: { final: 'done' },
  },
})

// ── the same with plain calls, where no tool needs a human ───────────────────────────────────────────────────────

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

// ── an agent that starts agents of its own kind, through its own contract ────────────────────────────────────────

const boss = contract('boss', {
  data: z.object({ goal: z.string(), answer: z.string().default('') }),
  states: ['planning', 'delegating', 'done'],
  finals: ['done'],
})
export const plan = activity('model.plan', {
  input: z.object({ goal: z.string() }),
  output: z.object({ parts: z.array(z.string()), answer: z.string() }),
  // Stands for a model too.
  run: ({ goal }) => {
    const parts = goal.split(' and ')
    return parts.length > 1 ? { parts, answer: '' } : { parts: [], answer: `${goal}: done` }
  },
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
        { if: ({ result }) => result.parts.length > 0, to: 'delegating', set: { parts: ({ result }) => result.parts } },
        { to: 'done', set: { answer: ({ result }) => result.answer } },
      ],
    },
    delegating: {
      until: { parts: { all: 'done' } },
      done: { to: 'done', set: { answer: ({ children }) => children.parts.map((c) => c.data.answer).join('\n') } },
    },
    done: { final: 'done' },
  },
})

export const services = [service('agents', { machines: [toolCall, agent, quick, bossMachine] })]

/** Asks, and waits for an answer; says why there is none. */
export async function ask(app: App, question: string, by: string): Promise<{ id: string; answer: string }> {
  const handle = await app.run(agent, { data: { messages: [{ role: 'user', text: question }] }, by })
  const { state, data } = await handle.reaches(['answered', 'exhausted', 'refused'], { within: '15 minutes' })
  return { id: handle.id, answer: state === 'answered' ? data.answer : state }
}
