export { httpHandler } from './handler.ts'
export { serve } from './serve.ts'
export type { Served, ServeOptions } from './serve.ts'
export type { HttpOptions, Permission, Principal } from '../machine/types-http.ts'
