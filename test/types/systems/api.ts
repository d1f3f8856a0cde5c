// What a user imports, with an app that is checked but not built: these files are about definitions and their types.
import type { App, PawlOptions } from '../../../src/machine/types-app.ts'
import { checkApp } from '../../../src/machine/check-app.ts'

export { activity, implement } from '../../../src/machine/activity.ts'
export { contract } from '../../../src/machine/contract.ts'
export { machine } from '../../../src/machine/machine.ts'
export { command, event } from '../../../src/machine/message.ts'
export { saga } from '../../../src/machine/saga.ts'
export { service } from '../../../src/machine/service.ts'

/** Checks the app as a whole. */
export function pawl(options: PawlOptions): App {
  checkApp(options.services, options)
  return {} as App
}
