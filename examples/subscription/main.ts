// npm run example subscription: a card that is expired, a change of plan, a pause of a second, and a cancel.
import { say, show } from '../show.ts'
import { Cancel, CardUpdated, ChangePlan, Pause, services, subscription } from './subscription.ts'

await show(services, async (app) => {
  const anchor = new Date().toISOString()

  say('A month is to be paid with a card that is expired')
  const sub = await app.run(subscription, {
    id: 's-1',
    data: { plan: 'basic', price: 30, card: 'expired visa', anchor },
  })
  await sub.reaches('dunning')

  say('A new card')
  await sub.send(CardUpdated({ card: 'amex' }))
  const { seq } = await sub.reaches('active')

  say('A better plan, at the price that the page showed; then the same page once more')
  const change = () => sub.send(ChangePlan({ plan: 'pro', price: 90 }), { ifSeq: seq, by: 'kim' })
  await change()
  const again = await change()
  console.log(`  ${again.outcome}: something has happened since`)

  say('A pause of a second')
  await sub.send(Pause({ until: new Date(Date.now() + 1_000).toISOString() }))
  await sub.reaches('paused')
  await sub.reaches('active')

  say('A cancel')
  await sub.send(Cancel({ at: 'now' }))
  const { cycle } = await sub.result()
  console.log(`  ${cycle} months were paid`)
})
