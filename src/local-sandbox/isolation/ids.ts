/** Host ids that a sandbox with users of its own has. */
export const idsPerSandbox = 65_536

/** What is the sandbox's root's belongs to this id on the host's disk, and what is of its other users to those above. */
export const diskRoot = 1_700_000_000

/** The id of the sandbox's `user`, in the sandbox. */
export const userId = 1000

/** The first id of the lowest block that isn't taken. Blocks are above what systems and container tools give out. */
export function freeIds(taken: Set<number>): number {
  let first = diskRoot + idsPerSandbox
  while (taken.has(first)) first += idsPerSandbox
  return first
}
