// npm run example loans: three loans under version 1, the deploy of version 2, and what becomes of them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pawl, service } from 'pawl'
import { say } from '../show.ts'
import { audit, bodies, Decide, loan, services, Sign } from './loans.ts'
import { firstLoan } from './version-1.ts'

const folder = mkdtempSync(join(tmpdir(), 'pawl-example-'))
const store = `sqlite:${join(folder, 'loans.db')}`
const old = pawl({ store, services: [service('loans', { machines: [firstLoan], activities: bodies })] })
const app = pawl({ store, services })

try {
  say('Version 1: two loans wait for a person, one for its signature')
  await old.start()
  for (const [id, person] of [
    ['l-1', 'kim'],
    ['l-2', 'bo'],
    ['l-3', 'cy'],
  ] as const) {
    const handle = await old.run(firstLoan, { id, data: { person, amount: 5_000 } })
    await handle.reaches('review')
    console.log(`  ${id}: review`)
  }
  await old.send(firstLoan, 'l-3', Decide({ ok: true, by: 'ann' }))
  await old.stop()

  say('Version 2 is deployed; they go on')
  await app.start()
  await app.send(loan, 'l-1', Decide({ ok: true, by: 'ann' }))
  await app.send(loan, 'l-1', Sign({ by: 'kim' }))
  await app.get(loan, 'l-1').result()
  await app.get(loan, 'l-2').cancel({ why: 'found another', by: 'bo' })
  const { outcome } = await app.send(loan, 'l-3', Sign({ by: 'somebody else' }))
  console.log(`  somebody else signs l-3: ${outcome}`)
  await app.send(loan, 'l-3', Sign({ by: 'cy' }))
  await app.get(loan, 'l-3').result()
  const next = await app.run(loan, { id: 'l-4', data: { person: 'di', cents: 5_000_00 } })
  await next.reaches('signing')
  for (const id of ['l-1', 'l-2', 'l-3', 'l-4']) {
    say(id)
    for (const line of await audit(app, id)) console.log(`  ${line}`)
  }
} finally {
  await app.stop()
  rmSync(folder, { recursive: true, force: true })
}
