// Every command on a store in a file.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { appFile, cli, cliJson, Folder, lived, storeAtRest } from './command-line.ts'

let folder: Folder
let made: string
let path: string
let read: readonly string[]
let change: readonly string[]
let n = 0
beforeAll(async () => {
  folder = new Folder()
  made = await storeAtRest(folder)
})
beforeEach(() => {
  path = join(folder.path, `copy-${++n}.db`)
  copyFileSync(made, path)
  read = ['--store', `sqlite:${path}`]
  change = [...read, '--app', appFile]
})
afterAll(() => folder.remove())

interface Line {
  readonly id: string
  readonly state: string
  readonly status: string
  readonly seq: number
}
const ids = async (...args: readonly string[]): Promise<readonly string[]> =>
  (await cliJson<{ items: Line[] }>(['ls', 'order', ...args, ...read])).items.map(({ id }) => id)
const stands = async (id: string): Promise<Line> => cliJson<Line>(['show', 'order', id, ...read])

describe('looking', () => {
  test('ls counts the instances of each machine, and the messages', async () => {
    const { exit, out, err } = await cli(['ls', ...read])
    expect({ exit, err }).toEqual({ exit: 0, err: '' })
    expect(out).toMatch(
      /^machine +started +running +waiting +stalled +done +failed +cancelled +removed\norder +6 +0 +2 +2 +1 +1 +0 +0\n/,
    )
    expect(out).toContain('messages: 3 accepted, 1 applied, 1 unclaimed, 1 dead')
    const counts = await cliJson<{ instances: { order: { stalled: number } } }>(['ls', ...read])
    expect(counts.instances.order.stalled).toBe(2)
  })

  test('ls lists by state, status and code, in pages', async () => {
    expect(await ids()).toEqual(['o-1', 'o-5', 'o-2', 'o-4', 'o-6', 'o-3'])
    expect(await ids('--status', 'stalled')).toEqual(['o-2', 'o-4'])
    expect(await ids('--code', 'RETRIES_EXHAUSTED')).toEqual(['o-2', 'o-4'])
    expect(await ids('--code', 'WORKER_DIED')).toEqual([])
    expect(await ids('--state', 'packing')).toEqual(['o-1', 'o-5'])
    const first = await cliJson<{ items: Line[]; next: string }>(['ls', 'order', '--limit', '4', ...read])
    expect(first.items.length).toBe(4)
    expect((await ids('--after', first.next)).length).toBe(2)
  })

  test('show tells how it stands, why it stalls, and what its store knows more', async () => {
    const { out } = await cli(['show', 'order', 'o-2', ...read])
    expect(out).toContain('order o-2: stalled in "charging", seq 1\n  stalled: RETRIES_EXHAUSTED: the bank is down\n')
    const shown = await cliJson(['show', 'order', 'o-1', ...read])
    expect(shown).toMatchObject({ state: 'packing', data: { cents: 5, payment: 'paid 5' }, more: { version: 1 } })
    expect(Object.keys((shown['more'] as { timers: object }).timers)).toEqual(['5 days'])
  })

  test('history shows each transition with its cause and its change', async () => {
    const rows = await cliJson<{ seq: number; cause: { kind: string }; changed: object }[]>([
      'history',
      'order',
      'o-6',
      ...read,
    ])
    expect(rows.map(({ seq, cause }) => [seq, cause.kind])).toEqual([
      [1, 'start'],
      [2, 'result'],
      [3, 'message'],
    ])
    expect(rows[1]!.changed).toEqual({ payment: 'paid 9' })
    expect(
      (await cliJson<unknown[]>(['history', 'order', 'o-6', '--after', '1', '--limit', '1', ...read])).length,
    ).toBe(1)
    expect((await cli(['history', 'order', 'o-6', ...read])).out).toMatch(
      / 3 {2}\S+Z {2}packing → shipped {2}by message Shipped\n/,
    )
  })

  test('a look changes nothing, and goes on beside a running app', async () => {
    const app = await lived(join(folder.path, 'running.db'))
    try {
      const shown = await cliJson<Line>([
        'show',
        'order',
        'o-1',
        '--store',
        `sqlite:${join(folder.path, 'running.db')}`,
      ])
      expect(shown).toMatchObject({ state: 'packing', status: 'waiting' })
      const refused = await cli([
        'cancel',
        'order',
        'o-1',
        '--why',
        'x',
        '--store',
        `sqlite:${join(folder.path, 'running.db')}`,
        '--app',
        appFile,
      ])
      expect(refused).toMatchObject({ exit: 5, out: '' })
      expect(refused.err).toMatch(/^pawl: STORE_IN_USE: /)
      const all = ['cancel', 'order', '--all', '--yes', '--why', 'x', '--store', 'sqlite:running.db', '--app', appFile]
      // Told once, not for each of them.
      expect(await cli(all, { cwd: folder.path })).toEqual({ exit: 5, out: '', err: refused.err })
    } finally {
      await app.stop()
    }
  })

  test('graph draws a machine of an app file or of a store', async () => {
    const drawn = await cli(['graph', '--app', appFile])
    expect(drawn.out).toMatch(/^stateDiagram-v2\n[^]*s0 --> s1 : done\n/)
    expect((await cli(['graph', 'order', ...read])).out).toBe(drawn.out)
    expect((await cli(['graph', 'order', '--format', 'dot', ...read])).out).toContain(
      '"charging" -> "packing" [label="done"]',
    )
    expect(await cliJson(['graph', 'order', ...read])).toMatchObject({ name: 'order', initial: 'charging' })
  })
})

describe('changing one', () => {
  test('send applies a message under its id once', async () => {
    const args = ['send', 'order', 'o-5', '--type', 'Shipped', '--data', '{"order":"o-5"}', '--id', 'm-1', ...change]
    expect(await cliJson(args)).toMatchObject({ outcome: 'applied', state: 'shipped', seq: 3 })
    expect(await cliJson(args)).toMatchObject({ outcome: 'duplicate', became: 'applied' })
    expect((await stands('o-5')).seq).toBe(3)
  })

  test('send --if-seq is refused where something has happened since', async () => {
    const args = ['send', 'order', 'o-5', '--type', 'Shipped', '--data', '{"order":"o-5"}', ...change]
    expect(await cli([...args, '--if-seq', '1'])).toMatchObject({ exit: 4, out: '' })
    // That it was refused is a row of the journal too.
    expect((await cli([...args, '--if-seq', '3'])).exit).toBe(0)
  })

  test('resolve says what the call gave; the journal says who and why', async () => {
    const args = ['resolve', 'order', 'o-2', '--result', '{"payment":"seen"}', '--why', 'seen at the bank', ...change]
    expect(await cliJson(args)).toMatchObject({ outcome: 'applied', state: 'packing' })
    const rows = await cliJson<{ why?: string; by?: string }[]>(['history', 'order', 'o-2', ...read])
    const row = rows.find(({ why }) => why === 'seen at the bank')
    expect(row?.by).toMatch(/^cli:./)
    expect(await cli(['resolve', 'order', 'o-4', '--failure', 'Nope', '--why', 'x', ...change])).toMatchObject({
      exit: 4,
    })
    expect((await stands('o-4')).status).toBe('stalled')
  })

  test('retry, move and cancel', async () => {
    expect(await cliJson(['retry', 'order', 'o-2', '--why', 'again', ...change])).toMatchObject({ outcome: 'applied' })
    const moved = [
      'move',
      'order',
      'o-5',
      '--to',
      'shipped',
      '--payload',
      '{"order":"o-5"}',
      '--why',
      'seen',
      ...change,
    ]
    expect(await cliJson(moved)).toMatchObject({ state: 'shipped' })
    expect(await cli(['move', 'order', 'o-1', '--to', 'declined', '--why', 'x', ...change])).toMatchObject({ exit: 4 })
    expect(await cliJson(['cancel', 'order', 'o-1', '--why', 'called', ...change])).toMatchObject({
      state: 'cancelled',
    })
    expect((await cli(['retry', 'order', 'o-1', '--why', 'x', ...change])).exit).toBe(4)
  })

  test('--dry-run of one changes nothing', async () => {
    expect(await cliJson(['cancel', 'order', 'o-1', '--dry-run', ...change])).toEqual({
      dryRun: true,
      matched: 1,
      ids: ['o-1'],
    })
    expect((await stands('o-1')).state).toBe('packing')
  })
})

describe('changing all that match', () => {
  test('first a dry run, then --yes', async () => {
    const all = ['resolve', 'order', '--all', '--code', 'RETRIES_EXHAUSTED', '--failure', 'Declined', ...change]
    expect((await cli([...all, '--why', 'x'])).exit).toBe(2)
    expect(await cliJson([...all, '--dry-run'])).toEqual({ dryRun: true, matched: 2, ids: ['o-2', 'o-4'] })
    expect(await ids('--status', 'stalled')).toEqual(['o-2', 'o-4'])
    expect(await cliJson([...all, '--why', 'the bank said no', '--yes'])).toEqual({ matched: 2, done: 2, failed: [] })
    expect(await ids('--state', 'declined')).toEqual(expect.arrayContaining(['o-2', 'o-3', 'o-4']))
  })

  test('what one refuses keeps no other from it, and ends with 1', async () => {
    const all = ['send', 'order', '--all', '--type', 'Label', '--data', '{"text":"bad"}', '--yes', ...change]
    const sum = await cliJson<{ matched: number; failed: { id: string; code: string }[] }>(all, 1)
    expect(sum.matched).toBe(4)
    expect(sum.failed.map(({ id, code }) => `${id} ${code}`).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'o-1 HANDLER_FAILED',
      'o-5 HANDLER_FAILED',
    ])
  })

  test('by state, by status, and no more than --limit', async () => {
    const dry = async (...args: readonly string[]): Promise<unknown> =>
      (await cliJson(['cancel', 'order', '--all', '--dry-run', ...args, ...change]))['ids']
    expect(await dry('--state', 'packing')).toEqual(['o-1', 'o-5'])
    expect(await dry('--status', 'stalled')).toEqual(['o-2', 'o-4'])
    expect(await dry('--limit', '1')).toEqual(['o-1'])
    expect(await dry()).toEqual(['o-1', 'o-5', 'o-2', 'o-4'])
    const moved = [
      'move',
      'order',
      '--all',
      '--state',
      'packing',
      '--to',
      'shipped',
      '--payload',
      '{"order":"x"}',
      '--why',
      'seen',
      '--yes',
    ]
    expect(await cliJson([...moved, ...change])).toEqual({ matched: 2, done: 2, failed: [] })
  })
})

describe('dead letters', () => {
  const first = async (): Promise<{ id: string }> =>
    (await cliJson<{ items: { id: string }[] }>(['dead-letters', 'list', ...read])).items[0]!

  test('list tells for whom, of what type and why', async () => {
    const { out } = await cli(['dead-letters', 'list', '--machine', 'order', ...read])
    expect(out).toMatch(/order o-1 +Label +HANDLER_FAILED +\S.*no such label/)
    expect((await cli(['dead-letters', 'list', '--machine', 'parcel', ...read])).out).toBe('no dead letters\n')
  })

  test('redrive sends it again, mended', async () => {
    const redrive = async (): Promise<readonly string[]> =>
      ['dead-letters', 'redrive', (await first()).id, '--why', 'mended'].concat(change)
    expect((await cli(await redrive())).exit).toBe(4)
    const args = await redrive()
    expect((await cli([...args, '--data', '{"text":"good"}'])).exit).toBe(0)
    expect((await cliJson(['show', 'order', 'o-1', ...read]))['data']).toMatchObject({ label: 'good' })
    expect((await cli(args)).exit).toBe(3)
  })

  test('discard all that match', async () => {
    const all = ['dead-letters', 'discard', '--all', '--code', 'HANDLER_FAILED', ...change]
    expect(await cliJson([...all, '--dry-run'])).toMatchObject({ matched: 1 })
    expect(await cliJson([...all, '--why', 'a test', '--yes'])).toEqual({ matched: 1, done: 1, failed: [] })
    expect(await cliJson(['dead-letters', 'list', ...read])).toEqual({ items: [] })
  })
})

describe('what is wrong', () => {
  const wrong: readonly (readonly [exit: number, text: string, args: () => readonly string[]])[] = [
    [2, "unknown command 'lst'", () => ['lst']],
    [2, "unknown option '--stor'", () => ['ls', '--stor', 'x']],
    [2, 'say whom to ask', () => ['ls']],
    [2, 'not both', () => ['ls', ...read, '--url', 'http://127.0.0.1:1']],
    [2, 'sqlite:path', () => ['ls', '--store', 'mysql:x']],
    [2, '--limit 0', () => ['ls', 'order', '--limit', '0', ...read]],
    [2, '--status lost', () => ['ls', 'order', '--status', 'lost', ...read]],
    [2, 'name the machine', () => ['ls', '--state', 'packing', ...read]],
    [2, 'give --why', () => ['retry', 'order', 'o-2', ...change]],
    [2, 'or --all', () => ['retry', 'order', '--why', 'x', ...change]],
    [2, 'not both', () => ['retry', 'order', 'o-2', '--all', '--why', 'x', ...change]],
    [2, '--app', () => ['retry', 'order', 'o-2', '--why', 'x', ...read]],
    [2, 'JSON', () => ['send', 'order', 'o-1', '--type', 'Label', '--data', '{bad', ...change]],
    [2, 'there is no such file', () => ['check', 'no-such-file.ts']],
    [2, 'either --result or --failure', () => ['resolve', 'order', 'o-2', '--why', 'x', ...change]],
    [3, 'order has no state "lost"', () => ['ls', 'order', '--state', 'lost', ...read]],
    [3, 'does not receive "Lost"', () => ['send', 'order', 'o-1', '--type', 'Lost', ...change]],
    [3, 'there is no order "o-99"', () => ['show', 'order', 'o-99', ...read]],
    [3, 'no machine "parcel"', () => ['show', 'parcel', 'p-1', ...read]],
    [3, 'no dead letter', () => ['dead-letters', 'discard', 'none', '--why', 'x', ...change]],
    [4, 'BAD_DATA', () => ['send', 'order', 'o-1', '--type', 'Label', '--data', '{}', ...change]],
    [5, 'there is no such file', () => ['ls', '--store', 'sqlite:/nowhere/at/all.db']],
    [5, 'it cannot be read', () => ['ls', '--store', `sqlite:${appFile}`]],
    [5, 'nothing answers', () => ['ls', '--url', 'http://127.0.0.1:1']],
  ]
  test.each(wrong)('%i: %s', async (exit, text, args) => {
    const ran = await cli(args())
    expect(ran.err).toContain(text)
    expect(ran).toMatchObject({ exit, out: '' })
  })

  test('an error under --json is one line of JSON on the other output', async () => {
    const ran = await cli(['show', 'order', 'o-99', ...read, '--json'])
    expect(ran).toMatchObject({ exit: 3, out: '' })
    expect(JSON.parse(ran.err)).toEqual({ code: 'UNKNOWN_INSTANCE', message: 'there is no order "o-99"' })
  })

  test('a store that was mistyped is not made', async () => {
    const none = `sqlite:${join(folder.path, 'none.db')}`
    expect((await cli(['cancel', 'order', 'o-1', '--why', 'x', '--store', none, '--app', appFile])).exit).toBe(5)
    expect((await cli(['ls', '--store', none])).exit).toBe(5)
  })
})

test('the environment says what the command line leaves open', async () => {
  expect((await cli(['ls'], { env: { PAWL_STORE: `sqlite:${path}` } })).exit).toBe(0)
  const both = { PAWL_STORE: 'sqlite:/nowhere.db', PAWL_APP: appFile }
  expect((await cli(['show', 'order', 'o-1', ...read], { env: both })).exit).toBe(0)
  expect((await cli(['ls', '--url', 'http://127.0.0.1:1'], { env: both })).err).toContain('nothing answers')
})

test('colours and moving lines are for terminals', async () => {
  const args = ['ls', 'order', ...read]
  const isColoured = (text: string): boolean => text.includes('\u001b')
  expect(isColoured((await cli(args)).out)).toBe(false)
  expect(isColoured((await cli(args, { isTTY: true })).out)).toBe(true)
  expect(isColoured((await cli(args, { isTTY: true, env: { NO_COLOR: '1' } })).out)).toBe(false)
})

test('what is stored cannot write to the terminal', async () => {
  const evil = 'a\u001b]0;owned\u0007b'
  const args = ['send', 'order', 'o-1', '--type', 'Label', '--data', JSON.stringify({ text: evil }), ...change]
  expect((await cli(args)).exit).toBe(0)
  for (const command of [
    ['show', 'order', 'o-1'],
    ['history', 'order', 'o-1'],
    ['ls', 'order'],
  ])
    expect((await cli([...command, ...read])).out).not.toMatch(/(?!\n)\p{Cc}/u)
})
