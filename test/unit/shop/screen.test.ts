import { expect, test } from 'vitest'
import type { Figures } from '../../../examples/shop/figures.ts'
import { instancesLaw, lawText, messagesLaw } from '../../../examples/shop/laws.ts'
import { bar, clock, logLine, screen, sparkline, type Canvas, type Sign } from '../../../examples/shop/screen.ts'

const none = { started: 0, running: 0, waiting: 0, stalled: 0, done: 0, failed: 0, cancelled: 0, removed: 0 }

const figures: Figures = {
  counts: {
    instances: {
      order: {
        ...none,
        started: 4_150,
        running: 9,
        waiting: 152,
        done: 3_801,
        failed: 150,
        cancelled: 26,
        removed: 12,
        states: { reserve: 4, charge: 3, book: 2, delivery: 149, 'undo charge': 1, 'undo reserve': 2 },
      },
      parcel: {
        ...none,
        started: 3_953,
        running: 2,
        waiting: 150,
        done: 3_801,
        states: { packing: 50, 'handing over': 2, 'on the road': 100 },
      },
      notification: { ...none, started: 4_130, running: 2, done: 4_128, states: { telling: 2 } },
    },
    messages: {
      accepted: 18_500,
      applied: 18_400,
      ignored: 50,
      refused: 40,
      unclaimed: 3,
      waiting: 4,
      pending: 3,
      dead: 0,
      discarded: 0,
    },
  },
  health: { ready: true, alive: true, store: 'ok', problems: [] },
  upMs: 83_000,
  transitions: [100, 200, 400],
  commitsPerSecond: 38,
  commitSize: 11.2,
  commitMs: 2.14,
  p50Ms: 3_100,
  p99Ms: 5_900,
  retries: 203,
  compensations: 176,
  trouble: undefined,
}
const sign: Sign = {
  db: '.pawl/shop.db',
  dbBytes: 12_300_000,
  pid: 12_345,
  fail: 0.05,
  rate: 50,
  placed: 4_150,
  total: undefined,
  badLines: 0,
  stopping: false,
  door: { url: 'http://127.0.0.1:4400', token: 'x'.repeat(43) },
}
const canvas: Canvas = { columns: 80, rows: 24, colours: false }

// oxlint-disable-next-line no-control-regex -- the escapes are what is taken out
const plain = (text: string): string => text.replaceAll(/\x1b\[[0-9;]*m/g, '').replaceAll(/ +$/gm, '')

test('the screen shows each state of an order with how many stand there', () => {
  const text = screen(figures, sign, canvas)
  const rows = text.split('\n')
  const names = rows.findIndex((row) => row.includes('reserve'))
  expect(rows[names]).toMatch(/reserve .* charge .* book .* delivery .* done/)
  expect(rows[names + 1]!.match(/[\d,]+/g)).toEqual(['4', '3', '2', '149', '3,801'])
  expect(text).toMatch(/undo +3 ──▸ undone 176/)
  expect(text).toMatch(/handing over 2 .* on the road 100 .* delivered 3,801/)
})

test('the screen shows pace, latency, trouble and both laws', () => {
  const text = screen(figures, sign, canvas)
  expect(text).toMatch(/transitions +233\/s/)
  expect(text).toMatch(/p50 3\.1 s +p99 5\.9 s/)
  expect(text).toMatch(/retries +203 +compensations 176 +stalled 0 +dead letters 0/)
  expect(text).toMatch(/instances +✓ 12,233 = 13 running/)
  expect(text).toMatch(/messages +✓ 18,500 = 18,400 applied/)
  expect(text).toContain('kill -9 12345')
  expect(text).toContain(`http://127.0.0.1:4400  Bearer ${'x'.repeat(43)}`)
  expect(screen(figures, { ...sign, door: undefined }, canvas)).not.toContain('Bearer')
})

test('a law that does not balance is crossed out', () => {
  const { instances, messages } = figures.counts
  const lost = { ...figures, counts: { instances, messages: { ...messages, applied: messages.applied - 1 } } }
  expect(screen(lost, sign, canvas)).toMatch(/messages +✗ 18,500/)
  expect(logLine(lost, sign, '12:00:00')).toContain('messages DO NOT BALANCE (18,500 = 18,399 applied')
})

test('one machine may not hide the fault of another', () => {
  const { order, parcel } = figures.counts.instances
  const instances = { order: { ...order!, done: order!.done + 1 }, parcel: { ...parcel!, done: parcel!.done - 1 } }
  expect(instancesLaw({ instances }).balances).toBe(false)
})

test('the screen fits its canvas, with colours or without', () => {
  for (const columns of [20, 40, 80, 200]) {
    const rows = screen(figures, sign, { columns, rows: 24, colours: true }).split('\n')
    expect(Math.max(...rows.map((row) => plain(row).length))).toBeLessThanOrEqual(columns)
  }
  expect(screen(figures, sign, { ...canvas, rows: 5 }).split('\n')).toHaveLength(5)
  expect(screen(figures, sign, canvas).split('\n').length).toBeLessThanOrEqual(24)
  expect(plain(screen(figures, sign, { ...canvas, colours: true }))).toBe(screen(figures, sign, canvas))
  expect(screen(figures, sign, { ...canvas, colours: true })).toContain('\x1b[')
})

test('what needs somebody is said on the screen', () => {
  expect(screen({ ...figures, trouble: 'order o-1 stalled: WORKER_DIED' }, sign, canvas)).toContain('o-1 stalled')
  const health = { ready: false, alive: true, store: 'full', problems: ['the disk is full'] } as const
  const text = screen({ ...figures, health }, sign, canvas)
  expect(text).toContain('the disk is full')
  expect(text).toContain('not ready')
})

test('an empty shop is drawn too', () => {
  const counts = {
    instances: {},
    messages: Object.fromEntries(Object.keys(figures.counts.messages).map((k) => [k, 0])),
  }
  const empty = { ...figures, counts: counts as unknown as Figures['counts'], transitions: [], p50Ms: undefined }
  const text = screen(empty, { ...sign, placed: 0, total: 2_000 }, canvas)
  expect(text).toContain('0 of 2,000 placed')
  expect(text).toMatch(/instances +✓ 0 = 0/)
  expect(text).toContain('p50 –')
})

test('a log line has the same figures', () => {
  const line = logLine(figures, { ...sign, badLines: 2 }, '12:00:00')
  expect(line).toContain('orders 4,150 started, 161 open, 3,801 done, 176 undone')
  expect(line).toContain('instances balance, messages balance')
  expect(line).toContain('2 bad lines')
  expect(line).not.toContain('\n')
})

test('bars, sparklines and clocks', () => {
  expect(bar(0, 4)).toBe('    ')
  expect(bar(1, 4)).toBe('████')
  expect(bar(0.0001, 4)).toBe('▏   ')
  expect(bar(7, 4)).toBe('████')
  expect(sparkline([0, 1, 8])).toBe('▁▂█')
  expect(clock(3_723_000)).toBe('01:02:03')
  expect(lawText(messagesLaw(figures.counts))).toContain('3 unclaimed')
})
