// npm run example approval: the wrong person, the right one, a vote of two of three, and a monitor that is stopped.
import { say, show } from '../show.ts'
import { approval, approve, board, monitor, services, Stop, Vote } from './approval.ts'

await show(services, async (app) => {
  say('An expense that ann must approve')
  await app.run(approval, { id: 'e-1', data: { chain: ['ann', 'the boss'] } })
  await app.get(approval, 'e-1').reaches('waiting')
  for (const user of ['kim', 'ann', 'ann']) console.log(`  ${user} approves: ${await approve(app, 'e-1', user)}`)

  say('A board of three, of whom two must agree')
  const motion = await app.run(board, { id: 'm-1', data: { members: ['ann', 'bo', 'cy'], needed: 2 } })
  for (const [by, yes] of [
    ['ann', true],
    ['ann', true],
    ['bo', false],
    ['cy', true],
  ] as const) {
    const { outcome } = await motion.send(Vote({ yes }), { by })
    console.log(`  ${by} says ${yes ? 'yes' : 'no'}: ${outcome}`)
  }
  await motion.result()

  say('A monitor of a site that is down')
  const watch = await app.run(monitor, { id: 'w-1', data: { url: 'http://127.0.0.1:9' } })
  await watch.send(Stop({}))
  await watch.result()
})
