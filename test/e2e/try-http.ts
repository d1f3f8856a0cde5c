// npm run try-http: the HTTP side, tried against its own document by schemathesis (`pip install schemathesis`, 4 or later), a property-based
// tester that knows nothing of us. What is said after `--` goes to it: `npm run try-http -- --max-examples 500`. PAWL_SCHEMATHESIS names
// another program than the `schemathesis` on the path.
//
// It asks whatever the document allows and whatever it does not; any 5xx, any answer that the document does not tell of, a request without
// the token that comes in, and bad data that are taken are failures. Event streams have no end, and are left out.
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { pawl } from 'pawl'
import { serve } from 'pawl/http'
import { shop, TOKEN } from '../support/http.ts'

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
]

const { services, order } = shop()
const faults: string[] = []
const app = pawl({
  services,
  store: 'memory:',
  log: ({ level, text, error }) => {
    if (level === 'error') faults.push(`${text} ${String(error)}`)
  },
})
await app.start()
// What there is to be found: one that stands, and one that has ended.
await app.run(order, { id: '0', data: { sku: 'mug' } })
await (await app.run(order, { id: '1', data: { sku: 'cup' } })).cancel({ why: 'to have one' })
const { url, close } = await serve(app, { port: 0, token: TOKEN })

const args = [
  'run',
  `${url}/openapi.json`,
  '--header',
  `Authorization: Bearer ${TOKEN}`,
  '--checks',
  CHECKS.join(','),
  '--exclude-operation-id-regex',
  '^changes',
  '--continue-on-failure',
  ...process.argv.slice(2),
]
const code = await new Promise<number>((resolve) => {
  // It keeps what it found in the folder that it stands in.
  const child = spawn(process.env['PAWL_SCHEMATHESIS'] ?? 'schemathesis', args, { stdio: 'inherit', cwd: tmpdir() })
  child.once('error', (error) => {
    console.error(`schemathesis could not be started (${error.message}): pip install schemathesis`)
    resolve(2)
  })
  child.once('close', (status) => resolve(status ?? 1))
})
await close()
await app.stop()
for (const fault of faults) console.error(fault)
process.exitCode = faults.length > 0 ? 1 : code
