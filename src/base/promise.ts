// Promises where none may be: definitions are synchronous.

/** Whether it would be waited for. Asking runs user code too: a getter or a proxy may throw. */
export const isPromise = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'

/** Takes a promise that nobody will wait for: its rejection must not end the process. Never throws. */
export async function disown(promise: unknown): Promise<void> {
  try {
    await promise
  } catch {
    // Whoever refuses the promise has said so already.
  }
}
