// Keys of calls and ids of timers begin with the incarnation of their instance, which stands in the instance's row.

/** An id without the incarnation that it may begin with: `~` stands for it. Other ids that begin with `~` get a second one. */
export const shortId = (id: string, incarnation: string): string =>
  id.startsWith(incarnation) && id[incarnation.length] === '-'
    ? `~${id.slice(incarnation.length)}`
    : id.startsWith('~')
      ? `~${id}`
      : id

/** What `shortId` was given. */
export const longId = (id: string, incarnation: string): string =>
  !id.startsWith('~') ? id : id.startsWith('~~') ? id.slice(1) : incarnation + id.slice(1)
