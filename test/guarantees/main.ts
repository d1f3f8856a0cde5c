// npm run guarantees: writes docs/guarantees.md anew, of the records that are committed in docs/evidence.
import { writeFileSync } from 'node:fs'
import { PAGE, pageOf } from './page.ts'
import { readRecords } from './records.ts'

writeFileSync(PAGE, await pageOf(readRecords()))
console.log(`wrote ${PAGE}`)
