// npm run example bank: two accounts and three transfers between them, two to another bank, and a bill.
import { say, show } from '../show.ts'
import {
  abroad,
  account,
  Credit,
  invoice,
  Open,
  SendAbroad,
  services,
  StartTransfer,
  transfer,
  UsageReported,
} from './bank.ts'

await show(services, async (app) => {
  say('Ann opens an account and pays in 100; bob opens one too')
  for (const id of ['ann', 'bob']) await app.send(account, id, Open({ account: id, owner: id }))
  await app.send(account, 'ann', Credit({ account: 'ann', amount: 100, transfer: 'cash' }))

  const transferOf = async (id: string, to: string, amount: number) => {
    say(`Ann sends ${amount} to ${to}`)
    await app.send(transfer, id, StartTransfer({ transfer: id, from: 'ann', to, amount }))
    await app.get(transfer, id).reaches(['done', 'refused'])
  }
  await transferOf('t-1', 'bob', 30)
  await transferOf('t-2', 'bob', 500)

  const abroadOf = async (id: string, to: string) => {
    say(`Ann sends 20 to ${to}, of another bank`)
    await app.send(abroad, id, SendAbroad({ transfer: id, from: 'ann', to, amount: 20 }))
    const { state } = await app.get(abroad, id).reaches(['done', 'undone'])
    console.log(`  ${state}`)
  }
  await abroadOf('x-1', 'carl')
  await abroadOf('x-2', 'closed dora')

  say('A month of usage is reported twice, and charged once')
  const used = UsageReported({ customer: 'ann', month: '2026-01', units: 7 })
  for (let i = 0; i < 2; i++) await app.emit(used, { id: 'report/ann/2026-01' })
  await app.get(invoice, 'ann/2026-01').result()

  for (const id of ['ann', 'bob']) {
    const { data } = await app.get(account, id).state()
    console.log(`  ${id} has ${data.balance}`)
  }
})
