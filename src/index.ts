export { isPawlError, PawlError } from './base/errors.ts'
export type { Duration } from './base/duration.ts'
