// The shop as an app: which machines, which bodies, where it is kept, and for how long.
import { pawl, service, type App, type LogRecord } from 'pawl'
import { bodies } from './bodies.ts'
import { CourierDelivered, notification, order, parcel } from './process.ts'
import type { Outside } from './wire.ts'

/** How a shop is opened. */
export interface ShopOptions {
  /** The SQLite file. */
  readonly db: string
  readonly outside: Outside
  /** True: what is over goes after some minutes, so that a day fits the disk. False: all is kept, for the audit at the end. */
  readonly forgets: boolean
  readonly log: (record: LogRecord) => void
}

/** How long a shop that forgets keeps what is over. The outside must remember longer: it is asked about orders that ended. */
export const FORGETS_AFTER = '5 minutes'

/** The shop, not started. What the courier tells is passed on under the courier's own id: told twice, it is applied once. */
export function openShop({ db, outside, forgets, log }: ShopOptions): App {
  return pawl({
    services: [service('shop', { machines: [order, parcel, notification], activities: bodies(outside) })],
    store: `sqlite:${db}`,
    log,
    ...(forgets ? { retention: { ended: FORGETS_AFTER, receipts: FORGETS_AFTER, deadLetters: '1 day' } } : {}),
  })
}

/** Lets the courier's word in, once the app runs. Resolved means stored: only then may the courier forget it. */
export function hearCourier(app: App, outside: Outside): void {
  outside.listen(async ({ tell, order }) => {
    await app.emit(CourierDelivered({ order }), { id: tell, by: 'courier', until: 'stored' })
  })
}
