// Longest time one tick counts for. A sandbox paused for a week must not find a week gone: like a frozen virtual
// machine, it loses a tick at most.
const tickMs = 1_000
const toleranceMs = 250

/** Calls back after `ms` milliseconds during which this process could run. Returns the function that cancels it. */
export function startAwakeTimer(ms: number, callback: () => void): () => void {
  let remaining = ms
  let timer: NodeJS.Timeout
  const arm = () => {
    const wait = Math.min(remaining, tickMs)
    const since = performance.now()
    timer = setTimeout(() => {
      remaining -= Math.min(performance.now() - since, wait + toleranceMs)
      if (remaining < 1) callback()
      else arm()
    }, wait)
  }
  arm()
  return () => clearTimeout(timer)
}
