// Types of the HTTP side: who may come in, and what for. Types only.
/** One thing that somebody may do over HTTP. `read` shows everything, payloads included. */
export type Permission =
  'read' | 'start' | 'send' | 'cancel' | 'retry' | 'resolve' | 'move' | 'remove' | 'redrive' | 'discard'
/** Who asks. `may`: default nothing but `read`. */
export interface Principal {
  readonly name: string
  readonly may?: readonly Permission[]
}
/** How the HTTP side is opened. It is closed until `by` or `token` says who may come in. */
export interface HttpOptions {
  /** The path that it lives under, default '': '/api', say, without a slash at its end. */
  base?: string
  /**
   * Who asks, for `cause.by`, the journal, and the ids of messages, which are each one's own. Of a bare name: one who may read, start, send
   * and cancel; a `Principal` says itself what it may. Null is answered with 401, what throws with 500.
   */
  by?: (request: Request) => string | Principal | null | Promise<string | Principal | null>
  /** A secret of at least 22 characters: whoever sends it (`Authorization: Bearer …`) may do everything, as `token`. Only its hash is kept. */
  token?: string
  /** Names that requests may be for (`Host`), without port. Default: with `by`, any; else those of this machine alone. */
  hosts?: readonly string[]
}
