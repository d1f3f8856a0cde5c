// Images: as many operations as the user asked for, first as plain calls at once, then as children that report progress; and a letter at the end.
import { activity, command, event, implement, machine, service, type App } from 'pawl'
import * as z from 'zod'

// ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────

const Op = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('resize'), width: z.number() }),
  z.object({ kind: z.literal('watermark'), text: z.string() }),
  z.object({ kind: z.literal('convert'), format: z.enum(['png', 'webp']) }),
])
export const Uploaded = event('image.uploaded', {
  data: z.object({ image: z.string(), key: z.string(), owner: z.string(), ops: z.array(Op) }),
  key: (d) => d.image,
})
export const Progress = event('image.progress', {
  data: z.object({ image: z.string(), done: z.number(), of: z.number() }),
  key: (d) => d.image,
})
export const Finished = event('image.finished', {
  data: z.object({ image: z.string(), owner: z.string(), files: z.array(z.string()) }),
  key: (d) => d.image,
})
export const Corrupt = event('image.corrupt', {
  data: z.object({ image: z.string(), owner: z.string(), reason: z.string(), time: z.number() }),
  key: (d) => d.image,
})
export const Retry = command('image.retry', { data: z.object({ image: z.string() }), to: 'image', key: (d) => d.image })
export const Stop = command('image.stop', { data: z.object({ image: z.string() }), to: 'image', key: (d) => d.image })

// ── what is done outside ─────────────────────────────────────────────────────────────────────────────────────────

export const probe = activity('image.probe', {
  input: z.object({ key: z.string() }),
  output: z.object({ width: z.number(), height: z.number() }),
  failures: ['Corrupt', 'TooBig'],
  run: ({ key }, { fail }) => (key.endsWith('.txt') ? fail('Corrupt', 'not an image') : { width: 640, height: 480 }),
})
/** Told apart from how it is done: `render`, below, is what this service does for it. */
export const apply = activity('image.apply', {
  input: z.object({ key: z.string(), op: Op }),
  output: z.object({ file: z.string() }),
  failures: ['Corrupt'],
  concurrency: 4,
  heartbeat: '20 seconds',
  // A file that nobody asked for any more does no harm.
  interruptible: true,
})

const TILES = 8

/** One tile after the other; an attempt goes on where the last one was when it was lost. */
export const render = implement(apply, async ({ key, op }, { signal, heartbeat, lastProgress, fail }) => {
  const first = typeof lastProgress === 'number' ? lastProgress : 0
  for (let tile = first; tile < TILES && !signal.aborted; tile++) {
    heartbeat(tile)
    await Promise.resolve()
  }
  switch (op.kind) {
    case 'resize':
      return { file: `${key}@${op.width}` }
    case 'watermark':
      return { file: `${key}+${op.text}` }
    case 'convert':
      return op.format === 'png' ? { file: `${key}.png` } : fail('Corrupt', `no profile for ${op.format}`)
  }
})

// ── (a) as many calls as the user asked for, at once ─────────────────────────────────────────────────────────────

const Image = z.object({
  key: z.string(),
  owner: z.string(),
  ops: z.array(Op),
  files: z.array(z.string()).default([]),
  reason: z.string().default(''),
  time: z.number().default(0),
})
export const image = machine('image', {
  data: Image,
  receives: [Uploaded, Retry, Stop],
  emits: [Finished, Corrupt],
  start: { 'image.uploaded': ({ key, owner, ops }) => ({ key, owner, ops }) },
  // Among what is ready the owners take turns, however many images each has.
  fairBy: ({ data }) => data.owner,
  initial: 'probing',
  // A second click on retry is dropped: it must not act on the next failure.
  groups: { busy: { states: ['probing', 'applying'], on: { 'image.retry': {} } } },
  states: {
    probing: {
      call: probe,
      input: ({ data }) => ({ key: data.key }),
      done: 'applying',
      fail: {
        Corrupt: { to: 'corrupt', set: { reason: ({ error }) => error.message } },
        TooBig: { to: 'corrupt', set: { reason: 'too big' } },
      },
    },
    applying: {
      call: [apply],
      input: ({ data }) => data.ops.map((op) => ({ key: data.key, op })),
      done: { to: 'finished', set: { files: ({ results }) => results.map((r) => r.file) } },
      // When all have settled: what was made is kept, and what failed is told by its place in the list.
      fail: {
        Corrupt: {
          to: 'corrupt',
          set: {
            files: ({ results }) => results.flatMap((r) => (r ? [r.file] : [])),
            reason: ({ errors }) => errors.flatMap((e, i) => (e ? [`${i}: ${e.message}`] : [])).join('; '),
          },
        },
      },
      on: { 'image.stop': 'dropped' },
    },
    finished: {
      emit: { 'image.finished': ({ id, data }) => ({ image: id, owner: data.owner, files: data.files }) },
      final: 'done',
    },
    // Parked where an operator (or a repaired codec) can take it up again.
    corrupt: {
      emit: {
        'image.corrupt': ({ id, data }) => ({ image: id, owner: data.owner, reason: data.reason, time: data.time }),
      },
      on: { 'image.retry': { to: 'probing', set: { time: ({ data }) => data.time + 1 } }, 'image.stop': 'dropped' },
      after: { '30 days': 'dropped' },
    },
    dropped: { final: 'failed' },
  },
})

// ── (b) with progress: each operation is a machine of its own ────────────────────────────────────────────────────

export const variant = machine('variant', {
  data: z.object({ source: z.string(), op: Op, file: z.string().optional() }),
  initial: 'working',
  // Whoever cancels one operation leaves the others of the album alone.
  cancel: 'broken',
  states: {
    working: {
      call: apply,
      input: ({ data }) => ({ key: data.source, op: data.op }),
      done: { to: 'made', set: ({ result }) => result },
      fail: { Corrupt: 'broken' },
    },
    made: { final: 'done' },
    broken: { final: 'failed' },
  },
})
const Album = z.object({ key: z.string(), owner: z.string(), ops: z.array(Op), files: z.array(z.string()).default([]) })
export const album = machine('album', {
  data: Album,
  emits: [Finished, Progress],
  children: {
    variants: {
      of: variant,
      each: ({ id, data }) => data.ops.map((op, i) => ({ id: `${id}/${i}`, data: { source: data.key, op } })),
      onCancel: 'cancel',
    },
  },
  initial: 'working',
  states: {
    working: {
      until: {
        variants: {
          all: ['made', 'broken'],
          any: {
            made: {
              emit: {
                'image.progress': ({ id, data, children }) => ({
                  image: id,
                  done: children.variants.filter((c) => c.state === 'made').length,
                  of: data.ops.length,
                }),
              },
            },
          },
        },
      },
      done: { to: 'finished', set: { files: ({ children }) => children.variants.flatMap((c) => c.data.file ?? []) } },
    },
    finished: {
      emit: { 'image.finished': ({ id, data }) => ({ image: id, owner: data.owner, files: data.files }) },
      final: 'done',
    },
  },
})

// ── a letter for what has happened ───────────────────────────────────────────────────────────────────────────────

export const mailer = activity('mail.send', {
  input: z.object({ to: z.string(), template: z.enum(['finished', 'corrupt']), text: z.string() }),
  output: z.object({}),
  run: () => ({}),
})

const Letter = z.object({ to: z.string(), template: z.enum(['finished', 'corrupt']), text: z.string().default('') })
export const letter = machine('letter', {
  data: Letter,
  receives: [Finished, Corrupt],
  start: {
    'image.finished': ({ owner }) => ({ to: owner, template: 'finished' }),
    'image.corrupt': ({ owner, reason }) => ({ to: owner, template: 'corrupt', text: reason }),
  },
  // An image may be corrupt twice: a letter each.
  correlate: {
    'image.finished': ({ image }) => `${image}/finished`,
    'image.corrupt': ({ image, time }) => `${image}/corrupt/${time}`,
  },
  initial: 'sending',
  states: {
    sending: { call: mailer, input: ({ data }) => data, done: 'sent' },
    sent: { final: 'done' },
  },
})

export const services = [
  service('images', { machines: [image, variant, album], activities: [render] }),
  service('mail', { machines: [letter] }),
]

/** Without an id of the caller's the album gets one: asked for twice, there are two. */
export async function makeAlbum(
  app: App,
  key: string,
  owner: string,
): Promise<{ id: string; files: readonly string[] }> {
  const handle = await app.run(album, {
    data: {
      key,
      owner,
      ops: [
        { kind: 'resize', width: 320 },
        { kind: 'convert', format: 'png' },
      ],
    },
  })
  return { id: handle.id, files: (await handle.result({ within: '2 minutes', rejectOnStall: true })).files }
}
