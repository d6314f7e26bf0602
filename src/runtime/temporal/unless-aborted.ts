import { aborted } from 'node:util'

/** What the promise gives; the signal's reason as soon as that aborts, whatever the promise does then. */
export const unlessAborted = <T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
  signal
    ? Promise.race([promise, aborted(signal, signal).then(() => Promise.reject(signal.reason as Error))])
    : promise
