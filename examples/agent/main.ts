// npm run example agent: a question, a mail that a human allows, the same question to quick tools, and a goal that is divided.
import { say, show } from '../show.ts'
import { agent, Approve, ask, bossMachine, quick, Said, services, toolCall } from './agent.ts'

await show(services, async (app) => {
  say('A question')
  const { id, answer } = await ask(app, 'who was Ada?', 'kim')
  console.log(`  ${answer}`)

  say('And a mail, which a human must allow')
  const ends = app.on((e) => {
    if (e.kind === 'transition' && e.machine === toolCall.name && e.to === 'asking')
      void app.send(toolCall, e.id, Approve({ ok: true }), { by: 'ann' })
  })
  await app.send(agent, id, Said({ text: 'mail that to bo' }))
  console.log(`  ${(await app.get(agent, id).reaches('answered')).data.answer}`)
  ends()

  say('The same without humans')
  const run = await app.run(quick, { data: { messages: [{ role: 'user', text: 'who was Ada?' }] } })
  console.log(`  ${(await run.result()).messages.length} messages`)

  say('A goal is divided among agents')
  const boss = await app.run(bossMachine, { id: 'b', data: { goal: 'cook and wash up and sleep' } })
  console.log((await boss.result()).answer.replaceAll(/^/gm, '  '))
})
