/** E2B says that a pause takes about 4 s per GiB of memory and a resume 1 s; the sandbox is billed in both. */
const PAUSE_MS_PER_GIB = 4_000
const RESUME_MS = 1_000

/**
 * Whether to pause the sandbox across a wait: only where the pause and the resume cost less than the wait itself.
 *
 * @param expectedMs how long the wait will last; Infinity where nobody can tell
 * @param memoryMb of the sandbox
 * @param threshold ms, in place of what pause and resume are said to cost
 */
export function worthPausing(expectedMs: number, memoryMb: number, threshold?: number): boolean {
  return expectedMs > (threshold ?? (memoryMb / 1024) * PAUSE_MS_PER_GIB + RESUME_MS)
}
