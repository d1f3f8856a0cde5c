// npm run example food: one meal that is delivered, and one whose customer changes their mind while it is cooked.
import { say, show } from '../show.ts'
import {
  CancelOrder,
  CourierAccepted,
  courierSearch,
  Delivered,
  KitchenAccepted,
  MealReady,
  order,
  OrderPlaced,
  PickedUp,
  services,
} from './food.ts'

const at = { lat: 52.52, lon: 13.4 }

await show(services, async (app) => {
  const place = (orderId: string) =>
    // The caller's id makes a repeated request harmless.
    app.emit(OrderPlaced({ orderId, customer: 'kim', restaurant: 'luigi', items: ['pizza'], total: 12 }), {
      id: `place/${orderId}`,
    })

  say('A meal is ordered, and delivered')
  await place('o-1')
  await app.emit(KitchenAccepted({ orderId: 'o-1', minutes: 20, at }))
  await app.get(courierSearch, 'o-1').reaches('offering')
  await app.emit(CourierAccepted({ orderId: 'o-1', courier: 'ann' }))
  await app.emit(MealReady({ orderId: 'o-1' }))
  await app.get(order, 'o-1').reaches('pickup')
  await app.emit(PickedUp({ orderId: 'o-1' }))
  await app.emit(Delivered({ orderId: 'o-1' }))
  const delivered = await app.get(order, 'o-1').result()
  console.log(`  ${delivered.courier} has brought it`)

  say('The same request again')
  console.log(`  ${(await place('o-1')).outcome}`)

  say('Another meal, whose customer changes their mind')
  await place('o-2')
  await app.emit(KitchenAccepted({ orderId: 'o-2', minutes: 20, at }))
  await app.get(order, 'o-2').reaches('cooking')
  await app.send(order, 'o-2', CancelOrder({ orderId: 'o-2', reason: 'not hungry any more' }))
  await app.get(order, 'o-2').reaches('cancelled')
})
