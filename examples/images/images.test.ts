import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, late, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { seen } from '../../test/support/seen.ts'
import {
  album,
  apply,
  Corrupt,
  Finished,
  image,
  letter,
  mailer,
  makeAlbum,
  probe,
  Progress,
  Retry,
  services,
  Stop,
  Uploaded,
  variant,
} from './images.ts'

const resize = { kind: 'resize', width: 320 } as const
const stamp = { kind: 'watermark', text: 'kim' } as const
const webp = { kind: 'convert', format: 'webp' } as const
const png = { kind: 'convert', format: 'png' } as const

const make = (): Harness => harness({ services })
const at = (t: Harness) => seen(t, image, 'i')
const i = { image: 'i' }
type Op = typeof resize | typeof stamp | typeof webp | typeof png
const upload = (t: Harness, ops: Op[], key = 'cat') => t.app.emit(Uploaded({ ...i, key, owner: 'kim', ops }))
const retry = (t: Harness) => t.app.send(image, 'i', Retry(i))
const stop = (t: Harness) => t.app.send(image, 'i', Stop(i))
const letters = (t: Harness) => t.calls(mailer).map(({ input }) => input)

/** An image that is corrupt. */
async function corrupt(): Promise<Harness> {
  const t = make()
  await upload(t, [resize, webp])
  expect((await at(t)).state).toBe('corrupt')
  return t
}

test('the drawings in the README are those of the machines', () => {
  expect(drawingFaults(import.meta.dirname, [image, variant, album, letter])).toEqual([])
})

describe('an image', () => {
  test('is resized, stamped and announced, and its owner gets a letter', async () => {
    const t = make()
    await upload(t, [resize, stamp, png])
    const files = ['cat@320', 'cat+kim', 'cat.png']
    expect(await t.path(image, 'i')).toEqual(['probing', 'applying', 'finished'])
    expect(await at(t)).toMatchObject({ status: 'done', data: { files } })
    expect(t.calls(probe).map(({ input }) => input)).toEqual([{ key: 'cat' }])
    expect(t.emitted(Finished).map(({ data }) => data)).toEqual([{ ...i, owner: 'kim', files }])
    expect(await t.path(letter, 'i/finished')).toEqual(['sending', 'sent'])
    expect(letters(t)).toEqual([{ to: 'kim', template: 'finished', text: '' }])
    expect((await seen(t, letter, 'i/finished')).status).toBe('done')
    await t.end()
  })

  test('of which one operation fails keeps what was made, and tells what was not by its place', async () => {
    const t = make()
    await upload(t, [resize, webp, stamp, webp])
    expect(await at(t)).toMatchObject({
      state: 'corrupt',
      data: { files: ['cat@320', 'cat+kim'], reason: '1: no profile for webp; 3: no profile for webp' },
    })
    expect(t.calls(apply).map(({ outcome }) => outcome)).toEqual(['done', 'not done', 'done', 'not done'])
    expect(t.emitted(Corrupt).map(({ data }) => data)).toMatchObject([{ ...i, owner: 'kim', time: 0 }])
    expect(letters(t)).toEqual([
      { to: 'kim', template: 'corrupt', text: '1: no profile for webp; 3: no profile for webp' },
    ])
    await stop(t)
    expect(await at(t)).toMatchObject({ state: 'dropped', status: 'failed' })
    await t.end()
  })

  test.each([
    ['Corrupt', 'not an image', 'not an image'],
    ['TooBig', '9 GB', 'too big'],
  ] as const)('whose probe says %s is not worked on', async (code, said, reason) => {
    const t = make()
    t.fake(probe, refuses(code, said))
    await upload(t, [resize])
    expect(await at(t)).toMatchObject({ state: 'corrupt', data: { reason } })
    expect(t.calls(apply)).toEqual([])
    await stop(t)
    await t.end()
  })

  test('that is no image is found out', async () => {
    const t = make()
    await upload(t, [resize], 'notes.txt')
    expect((await at(t)).data.reason).toBe('not an image')
    await stop(t)
    await t.end()
  })

  test('that was corrupt is taken up again when the codec is mended; a letter for each failure', async () => {
    const t = await corrupt()
    expect(await retry(t)).toMatchObject({ outcome: 'applied' })
    expect(await at(t)).toMatchObject({ state: 'corrupt', data: { time: 1 } })
    t.fake(apply, answers({ file: 'f' }))
    await retry(t)
    expect(await at(t)).toMatchObject({ state: 'finished', data: { files: ['f', 'f'] } })
    expect(letters(t).map(({ template }) => template)).toEqual(['corrupt', 'corrupt', 'finished'])
    await t.end()
  })

  test('that nobody takes up is dropped after thirty days', async () => {
    const t = await corrupt()
    await t.advance('29 days')
    expect((await at(t)).state).toBe('corrupt')
    await t.advance('1 day')
    expect((await at(t)).state).toBe('dropped')
    await t.end()
  })

  test('is made four files at a time', async () => {
    const t = make()
    t.fake(apply, late('1 second', { file: 'f' }))
    await upload(t, [resize, stamp, png, resize, stamp, png])
    const done = () => t.calls(apply).filter(({ outcome }) => outcome === 'done').length
    await t.advance('1500 ms')
    expect(done()).toBe(4)
    await t.advance('1 second')
    expect(done()).toBe(6)
    expect((await at(t)).state).toBe('finished')
    await t.end()
  })

  test('whose codec does not answer stands still until an operator tries again', async () => {
    const t = make()
    t.fake(apply, throws('out of memory'))
    await upload(t, [resize])
    await t.advance('1 hour')
    expect(await at(t)).toMatchObject({ state: 'applying', status: 'stalled' })
    t.fake(apply, answers({ file: 'f' }))
    await t.app.operate.retry(image, 'i', { why: 'more memory' })
    expect((await at(t)).state).toBe('finished')
    await t.end()
  })
})

describe('a stop', () => {
  test('while the files are made does not wait for them', async () => {
    const t = make()
    t.fake(apply, late('5 seconds', { file: 'f' }))
    await upload(t, [resize, stamp])
    expect(await stop(t)).toMatchObject({ outcome: 'applied', state: 'dropped' })
    await t.advance('5 seconds')
    expect(await t.path(image, 'i')).toEqual(['probing', 'applying', 'dropped'])
    expect(t.emitted(Finished)).toEqual([])
    await t.end()
  })

  test.each([
    ['a good one', answers({ width: 1, height: 1 }), ['probing', 'applying', 'dropped']],
    ['a corrupt one', refuses('Corrupt'), ['probing', 'corrupt', 'dropped']],
  ] as const)('while it is probed (%s) comes behind that', async (_, then, path) => {
    const t = make()
    t.fake(probe, sequence(throws(), then))
    t.fake(apply, hangs())
    await upload(t, [resize])
    expect(await stop(t)).toMatchObject({ outcome: 'deferred', state: 'probing' })
    await t.advance('1 second')
    expect(await t.path(image, 'i')).toEqual(path)
    await t.end()
  })
})

describe('a retry', () => {
  test.each(['probing', 'applying'] as const)('that is clicked twice acts once (%s)', async (state) => {
    const t = await corrupt()
    if (state === 'probing') t.fake(probe, sequence(throws(), refuses('TooBig')))
    t.fake(apply, sequence(throws(), refuses('Corrupt', 'again')))
    await retry(t)
    expect(await retry(t)).toMatchObject({ outcome: 'ignored', state })
    await t.advance('2 seconds')
    expect(await at(t)).toMatchObject({ state: 'corrupt', data: { time: 1 } })
    await stop(t)
    await t.end()
  })

  test('and a stop at the same moment: the first one counts, and then the other', async () => {
    const t = await corrupt()
    t.fake(apply, hangs())
    await Promise.all([retry(t), stop(t)])
    expect((await at(t)).state).toBe('dropped')
    await t.end()
  })
})

describe('an album', () => {
  const begin = (t: Harness, ops: Op[]) => t.app.run(album, { id: 'a', data: { key: 'cat', owner: 'kim', ops } })
  const progress = (t: Harness) => t.emitted(Progress).map(({ data }) => [data.done, data.of])

  test('is finished when its variants are, tells how far it is, and is announced', async () => {
    const t = make()
    t.fake(apply, ({ op }) => ({ file: op.kind }))
    const { id, files } = await makeAlbum(t.app, 'cat', 'kim')
    expect(files).toEqual(['resize', 'convert'])
    expect(await t.path(variant, `${id}/0`)).toEqual(['working', 'made'])
    expect(t.calls(apply).map(({ input }) => input)).toEqual([resize, png].map((op) => ({ key: 'cat', op })))
    expect(t.emitted(Finished).map(({ data }) => data)).toEqual([{ image: id, owner: 'kim', files }])
    expect(await t.path(letter, `${id}/finished`)).toEqual(['sending', 'sent'])
    await t.end()
  })

  test('tells of each variant when it is made', async () => {
    const t = make()
    t.fake(apply, sequence(late('1 second', { file: 'f1' }), late('3 seconds', { file: 'f2' })))
    await begin(t, [resize, stamp])
    await t.advance('2 seconds')
    expect(progress(t)).toEqual([[1, 2]])
    await t.advance('1 second')
    expect(progress(t)).toEqual([
      [1, 2],
      [2, 2],
    ])
    expect(await seen(t, album, 'a')).toMatchObject({ status: 'done', data: { files: ['f1', 'f2'] } })
    await t.end()
  })

  test('does without what could not be made', async () => {
    const t = make()
    await begin(t, [webp, resize])
    expect(await seen(t, album, 'a')).toMatchObject({ state: 'finished', data: { files: ['cat@320'] } })
    expect(await seen(t, variant, 'a/0')).toMatchObject({ state: 'broken', status: 'failed' })
    expect(progress(t)).toEqual([[1, 2]])
    await t.end()
  })

  test('waits for a variant that stands still, until an operator says what became of it', async () => {
    const t = make()
    t.fake(apply, throws('out of memory'))
    await begin(t, [resize])
    await t.advance('1 hour')
    expect((await seen(t, variant, 'a/0')).status).toBe('stalled')
    expect((await seen(t, album, 'a')).state).toBe('working')
    await t.app.operate.resolve(variant, 'a/0', { result: { file: 'by hand' }, why: 'made by hand' })
    expect(await seen(t, album, 'a')).toMatchObject({ state: 'finished', data: { files: ['by hand'] } })
    await t.end()
  })

  test('does without a variant that somebody cancels', async () => {
    const t = make()
    t.fake(apply, sequence(hangs(), answers({ file: 'f' })))
    await begin(t, [resize, stamp])
    await t.app.get(variant, 'a/0').cancel({ why: 'not needed' })
    expect((await seen(t, variant, 'a/0')).state).toBe('broken')
    expect(await seen(t, album, 'a')).toMatchObject({ state: 'finished', data: { files: ['f'] } })
    await t.end()
  })

  test('that is cancelled takes its variants with it', async () => {
    const t = make()
    t.fake(apply, hangs())
    await begin(t, [resize, stamp])
    await t.app.get(album, 'a').cancel({ why: 'not wanted' })
    expect((await seen(t, album, 'a')).status).toBe('cancelled')
    for (const id of ['a/0', 'a/1']) expect((await seen(t, variant, id)).state).toBe('broken')
    await t.end()
  })
})

describe('a mail server that is down', () => {
  test('holds up no image; its letter is sent when an operator tries again', async () => {
    const t = make()
    t.fake(mailer, throws('no route'))
    await upload(t, [resize])
    expect((await at(t)).state).toBe('finished')
    await t.advance('1 hour')
    expect((await seen(t, letter, 'i/finished')).status).toBe('stalled')
    t.fake(mailer, answers({}))
    await t.app.operate.retry(letter, 'i/finished', { why: 'it is back' })
    expect((await seen(t, letter, 'i/finished')).state).toBe('sent')
    await t.end()
  })
})
