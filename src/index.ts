export { isPawlError, PawlError } from './base/errors.ts'
export type { Duration } from './base/duration.ts'
export { activity, implement } from './machine/activity.ts'
export { contract } from './machine/contract.ts'
export { machine } from './machine/machine.ts'
export { command, event } from './machine/message.ts'
export { saga } from './machine/saga.ts'
export { service } from './machine/service.ts'
export { pawl } from './pawl.ts'
export type { Activity, Attempt, CallError, Implementation, Sql } from './machine/types-activity.ts'
export type {
  App,
  Bulk,
  Counts,
  DeadLetter,
  Emission,
  EmitOptions,
  Handle,
  Health,
  JournalRow,
  Lifecycle,
  LogRecord,
  Operate,
  Page,
  PawlOptions,
  Receipt,
  ResultOf,
  SendOptions,
  Service,
  Snapshot,
  Started,
  Transaction,
  Which,
  WorkerInfo,
} from './machine/types-app.ts'
export type { HttpOptions, Permission, Principal } from './machine/types-http.ts'
export type { Cause } from './machine/types-edge.ts'
export type { Machine } from './machine/types-machine.ts'
export type { Message, MessageType } from './machine/types-message.ts'
export type { Saga } from './machine/types-saga.ts'
export type { Child, Status } from './machine/types-state.ts'
export { mermaid } from './machine/describe.ts'
export { warningsOf } from './machine/problem.ts'
export type { Problem } from './machine/problem.ts'
