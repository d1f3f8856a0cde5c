import { expect, test } from 'vitest'
import { HELP, readOptions, UsageError } from '../../../examples/shop/options.ts'

const refusal = (...args: string[]): string => {
  try {
    readOptions(args)
  } catch (e) {
    if (e instanceof UsageError) return e.message
    throw e
  }
  return 'no refusal'
}

test('nothing said: a shop that stays open', () => {
  expect(readOptions([])).toEqual({
    db: undefined,
    orders: undefined,
    file: undefined,
    exit: false,
    rate: undefined,
    fail: 0.05,
    seed: 1,
    outside: undefined,
    port: undefined,
  })
})

test('all said', () => {
  expect(
    readOptions(['--orders', '2000', '--exit', '--db', 'a.db', '--fail', '0.2', '--rate=7', '--seed', '3']),
  ).toEqual({
    db: 'a.db',
    orders: 2_000,
    file: undefined,
    exit: true,
    rate: 7,
    fail: 0.2,
    seed: 3,
    outside: undefined,
    port: undefined,
  })
  expect(readOptions(['-h'])).toBe('help')
})

test('what is refused says why', () => {
  expect(refusal('--nope')).toContain("'--nope'")
  expect(refusal('stray')).toContain("'stray'")
  expect(refusal('--orders')).toContain('--orders')
  expect(refusal('--orders', 'ten')).toBe('--orders takes a whole number from 1 to 1000000, not "ten"')
  expect(refusal('--orders', '1.5')).toContain('whole number')
  expect(refusal('--orders', '0')).toContain('from 1')
  expect(refusal('--fail', '1')).toContain('from 0 to 0.9')
  expect(refusal('--fail', '')).toContain('from 0 to 0.9')
  expect(refusal('--exit')).toContain('--orders')
  expect(refusal('--orders', '1', '--file', 'x')).toContain('two sources')
  expect(refusal('--db', '', '--exit', '--orders', '1')).toContain('--db')
})

test('the help names every option', () => {
  for (const name of ['db', 'orders', 'file', 'exit', 'rate', 'fail', 'seed', 'outside', 'port', 'help'])
    expect(HELP).toContain(`--${name}`)
})
