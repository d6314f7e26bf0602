import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { Session } from '../../src/client/session.ts'
import type { SandboxOperationName } from '../../src/contract/operations/table.ts'
import { type Holdfast, startHoldfast } from './holdfast.ts'
import { prepareKernels } from './kernels.ts'
import { type Use, uses } from './operation-uses.ts'

/** A use of an operation that is ready to be asked for. */
export interface Prepared {
  name: SandboxOperationName
  session: Session
  /** Asks for it. */
  perform: () => Promise<unknown>
  /** Holds what came back, and what came of it, against the table. */
  check: (result: unknown) => Promise<void>
}

/** Holdfast with kernels, and the table of uses against a repository with two commits. */
export async function startWorld(): Promise<{
  holdfast: Holdfast
  prepare: (name: SandboxOperationName) => Promise<Prepared>
}> {
  const sandboxArgs = ['--faults', ...(await prepareKernels())]
  // `dangerouslyAuthenticate` and `dangerouslyStoreCredentials` do what their names say.
  const holdfast = await startHoldfast({ sandboxArgs, forgetKilled: true })
  await holdfast.startWorker()
  const { repo } = await holdfast.spec()
  await holdfast.repository(repo.url).commitFile('main', 'more.txt', 'more\n')
  const table = uses({ repoUrl: repo.url }) as unknown as Record<
    SandboxOperationName,
    Use<SandboxOperationName>
  >
  return {
    holdfast,
    prepare: async (name) => {
      const session = await holdfast.jobs.sessions.open(`session-${randomUUID()}`)
      const { before, input, returns, after } = table[name]
      const made = (await before?.(session)) ?? ''
      await session.getInfo()
      return {
        name,
        session,
        perform: () => session.perform(name, input(made)),
        check: async (result) => {
          if (returns === undefined) expect(result ?? undefined, name).toBeUndefined()
          else expect(result, name).toMatchObject(returns as object)
          if (after) expect((await session.run(after)).stdout, name).toContain('once')
        },
      }
    },
  }
}
