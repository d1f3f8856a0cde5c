// What the world outside does for the shop.
import type { Deed } from './world.ts'

/** By activity of machines.ts. */
export const deeds: readonly Deed[] = [
  {
    activity: 'warehouse.reserve',
    answer: (_, key) => ({ reservationId: `r-${key}` }),
    failures: [{ code: 'OutOfStock', chance: 0.1 }],
  },
  {
    activity: 'warehouse.release',
    answer: () => ({}),
    undoes: ({ reservationId }) => String(reservationId).slice('r-'.length),
  },
  {
    activity: 'payments.charge',
    answer: (_, key) => ({ paymentId: `p-${key}` }),
    failures: [{ code: 'Declined', chance: 0.15 }],
  },
  { activity: 'payments.refund', answer: () => ({}), undoes: ({ key }) => String(key) },
  { activity: 'mail.send', answer: (_, key) => ({ id: `m-${key}` }), failures: [{ code: 'Bounced', chance: 0.1 }] },
  {
    activity: 'node.boot',
    answer: (_, key) => ({ address: `a-${key}` }),
    failures: [{ code: 'NoCapacity', chance: 0.2 }],
  },
  { activity: 'node.probe', answer: () => ({ ok: true }) },
]
