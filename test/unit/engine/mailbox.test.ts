import { describe, expect, test } from 'vitest'
import { Mailbox, type Item } from '../../../src/engine/mailbox.ts'
import { Turns } from '../../../src/engine/turns.ts'

const item = (id: string): Item => ({
  box: `m\0${id}`,
  target: { machine: 'm', id },
  partition: 0,
  input: { kind: 'timer', id: 't', at: 0, correlation: '', stamp: 0 },
  counted: true,
  hops: 0,
  since: 0,
})

describe('the mailbox', () => {
  /** Ids are `<fairness key><number>`. */
  const mailbox = (): Mailbox =>
    new Mailbox(({ target: { id } }) => ({ priority: id.startsWith('u') ? 1 : 0, fair: id.slice(0, 1) }))
  const idsOf = (items: readonly Item[]): string => items.map(({ target }) => target.id).join(' ')

  test.each([1, 2, 3, 5])('in batches of %i every fairness key has its turn', (limit) => {
    const boxes = mailbox()
    for (let n = 0; n < 20; n++) for (const fair of ['a', 'b', 'c', 'd']) boxes.post(item(`${fair}${n}`))
    const taken: string[] = []
    while (boxes.size > 0) taken.push(...boxes.gather(limit).map(({ target }) => target.id))
    const turns = Array.from({ length: 20 }, (_, n) => [`a${n}`, `b${n}`, `c${n}`, `d${n}`]).flat()
    expect(taken).toEqual(turns)
  })
  test('keys that are full again before each batch keep nobody waiting', () => {
    const boxes = mailbox()
    const post = (fair: string, n: number): void => boxes.post(item(`${fair}${n}`))
    for (const fair of ['a', 'b']) for (let n = 0; n < 5; n++) post(fair, n)
    post('c', 0)
    expect(idsOf(boxes.gather(2))).toBe('a0 b0')
    for (const fair of ['a', 'b']) post(fair, 5)
    expect(idsOf(boxes.gather(2))).toBe('c0 a1')
    post('u', 0)
    expect(idsOf(boxes.gather(2))).toBe('u0 b1')
  })

  test('a flood for one box keeps no other waiting, though a batch has time for a few items only', () => {
    const boxes = mailbox()
    const post = (id: string, since: number): void => boxes.post({ ...item(id), since })
    for (let n = 0; n < 50; n++) post('a0', n)
    const [seen, others]: [number[], string[]] = [[], []]
    for (let n = 0; boxes.size > 0; n++) {
      if (n < 5) post(`a${n + 1}`, 0)
      const gathered = boxes.gather(10)
      expect(gathered.length).toBeLessThan(20)
      for (const { target, since } of gathered.slice(0, 4)) {
        if (target.id === 'a0') seen.push(since)
        else others.push(target.id)
      }
      if (n < 5) expect(others).toHaveLength(n + 1)
      boxes.putBack(gathered.slice(4))
    }
    expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => n))
  })
})

test('turns: priority, then fairness keys, then first come', () => {
  const turns = new Turns<string>()
  for (const one of ['a0', 'a1', 'a2', 'b0']) turns.add({ priority: 0, fair: one.slice(0, 1) }, one)
  expect(turns.take()).toBe('a0')
  turns.add({ priority: 5, fair: 'z' }, 'z0')
  turns.add({ priority: 0, fair: 'c' }, 'c0')
  const rest: (string | undefined)[] = []
  while (turns.size > 0) rest.push(turns.take())
  expect(rest).toEqual(['z0', 'b0', 'a1', 'c0', 'a2'])
  expect(turns.take()).toBeUndefined()
})
