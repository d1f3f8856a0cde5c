// I7 events: once each, in order, no effect before its cause, none of what did not commit · I9 a log that can be followed by its numbers.
import type { Mutant } from './mutant.ts'

/** Breaks of the log, of stamps and of order. */
export const events: readonly Mutant[] = [
  {
    name: 'stamp-is-not-raised-by-the-instance',
    invariants: ['I7'],
    file: 'src/engine/publish.ts',
    find: 'this.#number(batch, partition, Math.max(touched.stamp, instance.stamp))',
    replace: 'this.#number(batch, partition, 0)',
    breaks: 'A reader meets "invoice paid" before the order that it is for.',
  },
  {
    name: 'stamp-of-what-is-heard-is-forgotten',
    invariants: ['I7'],
    file: 'src/core/transition.ts',
    find: 'draft.next.stamp = Math.max(draft.next.stamp, input.stamp)',
    replace: 'void input.stamp',
    breaks: 'A reader meets an effect before its cause, where the clocks of two partitions differ.',
  },
  {
    name: 'numbers-of-a-failed-commit-are-used-up',
    invariants: ['I7', 'I9'],
    file: 'src/engine/flight.ts',
    find: 'for (const box of batch.touched.keys()) cache.delete(box)',
    replace:
      'for (const box of batch.touched.keys()) cache.delete(box)\n    this.#ports.ownership.committed(batch.heads)',
    breaks: 'The log has a hole after each failed commit: a reader that takes holes for lost events halts.',
  },
  {
    name: 'numbers-of-the-log-are-not-stored',
    invariants: ['I7', 'I9'],
    file: 'src/engine/batch.ts',
    find: 'counts: this.tally.sums,\n      heads,',
    replace: 'counts: this.tally.sums,\n      heads: [],',
    breaks: 'After a take-over the log counts from one again: events cannot be written, or are taken for old ones.',
    by: ['I7', 'I9', 'I10', 'liveness'],
  },
  {
    name: 'event-of-a-failed-commit-is-heard',
    invariants: ['I7'],
    file: 'src/engine/batch.ts',
    find: 'item.hops > 0 && item.inbox === undefined',
    replace: 'item.hops < 0',
    breaks: 'An account hears of a payment whose transaction was never written.',
    by: ['I1', 'I4', 'I7', 'I11'],
  },
  {
    name: 'hops-backwards',
    invariants: ['I7'],
    file: 'src/engine/step.ts',
    find: 'const { hops, ahead } = batch\n',
    replace: 'const { ahead } = batch\n    const hops = batch.hops.toReversed()\n',
    breaks: 'Two events of one instance are heard in the wrong order.',
  },
  {
    name: 'one-of-all-who-hear',
    invariants: ['I7', 'I11'],
    file: 'src/engine/publish.ts',
    find: 'for (const hearer of hearers) {',
    replace: 'for (const hearer of hearers.slice(0, 1)) {',
    breaks: 'Of two machines that listen to an event only one is told.',
  },
  {
    name: 'owned-before-its-inbox-is-read',
    invariants: ['I7'],
    file: 'src/engine/ownership.ts',
    find: 'this.#owned.set(partition, { head, stamp, drained: false })',
    replace: 'this.#owned.set(partition, { head, stamp, drained: true })',
    breaks: 'After a take-over a new event overtakes an older one that lies in the inbox.',
  },
  {
    name: 'hop-overtakes-the-box',
    invariants: ['I7'],
    file: 'src/engine/route.ts',
    find: 'for (const older of this.#mailbox.takeAll(item.box)) batch.hops.push(older)',
    replace: '',
    breaks: 'An event that is emitted here overtakes an older one that stands in the box of its hearer.',
  },
  {
    name: 'what-a-full-batch-has-emitted-loses-its-place',
    invariants: ['I7'],
    file: 'src/engine/route.ts',
    find: 'else batch.leftovers.push({ item: { ...item, hops: 0 }, row: this.#store(batch, item) })',
    replace: 'else this.#store(batch, item)',
    breaks: 'Under load a newer event is heard before an older one that a full batch has put into the inbox.',
  },
]
