import { pawl } from 'pawl'
import { serve } from 'pawl/http'
import { shop } from './app.ts'

const app = pawl({ services: [shop], store: 'sqlite:orders.db', log: ({ level, text }) => console.error(level, text) })
await app.start()
const { url, token } = await serve(app)
console.log(`${url}, Authorization: Bearer ${token}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void app.stop().then(() => process.exit()))
