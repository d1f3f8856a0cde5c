// The bodies of the shop's activities: each asks the outside, under the idempotency key of the call.
import { implement, type Implementation } from 'pawl'
import { bookCourier, cancelCourier, charge, handOver, mail, refund, release, reserve, track } from './process.ts'
import type { Outside } from './wire.ts'

/** Bodies for all activities of the process. */
export const bodies = (outside: Outside): readonly Implementation[] => [
  implement(reserve, (input, attempt) => outside.ask('warehouse.reserve', input, attempt)),
  implement(release, (input, attempt) => outside.ask('warehouse.release', input, attempt)),
  implement(charge, (input, attempt) => outside.ask('bank.charge', input, attempt)),
  implement(refund, (input, attempt) => outside.ask('bank.refund', input, attempt)),
  implement(bookCourier, (input, attempt) => outside.ask('courier.book', input, attempt)),
  implement(cancelCourier, (input, attempt) => outside.ask('courier.cancel', input, attempt)),
  implement(handOver, (input, attempt) => outside.ask('courier.collect', input, attempt)),
  implement(track, (input, attempt) => outside.ask('courier.track', input, attempt)),
  implement(mail, (input, attempt) => outside.ask('post.mail', input, attempt)),
]
