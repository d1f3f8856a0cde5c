// npm run example registration: the same three people sign up twice, once where one machine conducts, once where four listen to one another.
import type { Machine, Service } from 'pawl'
import { say, show } from '../show.ts'
import * as choreographed from './choreographed/registration.ts'
import { CodeEntered, SignedUp, Withdrawn } from './messages.ts'
import * as orchestrated from './orchestrated/registration.ts'

async function registration(
  services: readonly Service[],
  user: Machine,
  mailer: typeof orchestrated.user | typeof choreographed.confirmation,
): Promise<void> {
  await show(services, async (app) => {
    const signUp = (userId: string, email: string) => app.emit(SignedUp({ userId, email, country: 'DE' }))

    say('Kim signs up, and enters the code of the mail')
    await signUp('kim', 'kim@example.org')
    const { data } = await app.get(mailer, 'kim').reaches('confirming')
    await app.emit(CodeEntered({ userId: 'kim', code: data.code ?? '' }))
    await app.get(user, 'kim').reaches('registered')

    say('Lee signs up, and changes their mind')
    await signUp('lee', 'lee@example.org')
    await app.get(mailer, 'lee').reaches('confirming')
    await app.emit(Withdrawn({ userId: 'lee' }))
    await app.get(user, 'lee').reaches('rejected')

    say('A robot signs up')
    await signUp('bot', 'bot@spam.test')
    await app.get(user, 'bot').reaches('rejected')
  })
}

console.log('ORCHESTRATED: one machine conducts')
await registration(orchestrated.services, orchestrated.user, orchestrated.user)
console.log('\nCHOREOGRAPHED: four machines listen to one another')
await registration(choreographed.services, choreographed.user, choreographed.confirmation)
