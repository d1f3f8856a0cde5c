// Image processing: as many operations as the user asked for, first as plain calls, then as children that report progress; mail at the end.
// Shows: `call: [one]` with partial results and errors, heartbeats and `lastProgress`, an interruptible call, child machines with a count of
// what is done, parking for an operator, `fairBy`, unions in schemas.
import * as z from 'zod'
import { event, command, activity, machine, service, pawl } from './api.ts'

const Op = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('resize'), width: z.number() }),
  z.object({ kind: z.literal('watermark'), text: z.string() }),
  z.object({ kind: z.literal('convert'), format: z.enum(['png', 'webp']) }),
])
const Uploaded = event('image.uploaded', {
  data: z.object({ image: z.string(), key: z.string(), owner: z.string(), ops: z.array(Op) }),
  key: (d) => d.image,
})
const Progress = event('image.progress', {
  data: z.object({ image: z.string(), done: z.number(), of: z.number() }),
  key: (d) => d.image,
})
const Finished = event('image.finished', {
  data: z.object({ image: z.string(), owner: z.string(), files: z.array(z.string()) }),
  key: (d) => d.image,
})
const Corrupt = event('image.corrupt', {
  data: z.object({ image: z.string(), owner: z.string(), reason: z.string() }),
  key: (d) => d.image,
})
const Retry = command('image.retry', { data: z.object({ image: z.string() }), to: 'image', key: (d) => d.image })
const Stop = command('image.stop', { data: z.object({ image: z.string() }), to: 'image', key: (d) => d.image })

const probe = activity('image.probe', {
  input: z.object({ key: z.string() }),
  output: z.object({ width: z.number(), height: z.number() }),
  failures: ['Corrupt', 'TooBig'],
  run: ({ key }, { fail }) => (key.endsWith('.txt') ? fail('Corrupt', 'not an image') : { width: 640, height: 480 }),
})
const apply = activity('image.apply', {
  input: z.object({ key: z.string(), op: Op }),
  output: z.object({ file: z.string() }),
  failures: ['Corrupt'],
  concurrency: 4,
  heartbeat: '20 seconds',
  interruptible: true, // a file that nobody asked for any more does no harm
  run: async ({ key, op }, { attempt, signal, heartbeat, lastProgress, fail }) => {
    const tile = attempt > 1 && typeof lastProgress === 'number' ? lastProgress : 0
    for (let t = tile; t < 8 && !signal.aborted; t++) heartbeat(t) // … one tile after the other
    switch (op.kind) {
      case 'resize':
        return { file: `${key}@${op.width}` }
      case 'watermark':
        return { file: `${key}+${op.text}` }
      case 'convert':
        return op.format === 'png' ? { file: `${key}.png` } : fail('Corrupt', 'no such profile', { format: op.format })
    }
  },
})

// (a) As many calls as the user asked for, at once.
const Image = z.object({
  key: z.string(),
  owner: z.string(),
  ops: z.array(Op),
  files: z.array(z.string()).default([]),
  reason: z.string().default(''),
})
export const image = machine('image', {
  data: Image,
  receives: [Uploaded, Retry, Stop],
  emits: [Finished, Corrupt],
  start: { 'image.uploaded': ({ key, owner, ops }) => ({ key, owner, ops }) },
  fairBy: ({ data }) => data.owner, // one who uploads ten thousand at once holds up nobody else
  initial: 'probing',
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
      emit: { 'image.corrupt': ({ id, data }) => ({ image: id, owner: data.owner, reason: data.reason }) },
      on: { 'image.retry': 'probing', 'image.stop': 'dropped' },
      after: { '30 days': 'dropped' },
    },
    dropped: { final: 'failed' },
  },
})

// (b) With progress: each operation is a machine of its own.
const variant = machine('variant', {
  data: z.object({ source: z.string(), op: Op, file: z.string().optional() }),
  initial: 'working',
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

export const app = pawl({
  store: 'sqlite:images.db',
  services: [service('images', { machines: [image, variant, album] })],
})
// Without an id of the caller's the album gets one: asked for twice, there are two.
export async function makeAlbum(key: string, owner: string) {
  const handle = await app.run(album, {
    data: {
      key,
      owner,
      ops: [
        { kind: 'resize', width: 320 },
        { kind: 'convert', format: 'webp' },
      ],
    },
  })
  return { id: handle.id, files: (await handle.result({ within: '2 minutes', rejectOnStall: true })).files }
}
