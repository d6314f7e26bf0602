import { Sandbox } from 'e2b'
import type { World } from './world.ts'

export interface SessionPlan {
  commands: number
  /** How many send commands at once. */
  users: number
  /** Operations after which the session continues as new. */
  turnAfter: number
  /** After so many commands a worker is killed. */
  killWorkerAt: number[]
  /** After so many commands Temporal is killed, and comes back. */
  killTemporalAt: number[]
}

export interface SessionVerdict {
  commands: number
  /** Numbers that aren't in the sandbox's log, or are there more than once. */
  lost: number[]
  twice: number[]
  /** Commands that failed, by their error. */
  failed: string[]
  runs: number
  /** Events of the longest history. */
  longestHistory: number
  ms: number
}

/** Sends numbered commands to one session while what it depends on dies, and counts what they left in the sandbox. */
export async function sessionChaos(world: World, plan: SessionPlan): Promise<SessionVerdict> {
  const begun = Date.now()
  const id = `session-chaos-${begun}`
  const session = await world.jobs.sessions.open(id, { turnAfter: plan.turnAfter })
  const { sandboxId } = await session.getInfo()
  const failed: string[] = []
  const trouble: Promise<void>[] = []
  let sent = 0
  const user = async (): Promise<void> => {
    while (sent < plan.commands) {
      const number = sent++
      if (plan.killWorkerAt.includes(number))
        trouble.push(world.workers.kill(0).then(() => world.workers.refill()))
      if (plan.killTemporalAt.includes(number)) trouble.push(world.killTemporal())
      if (number % 500 === 0) world.onProgress(`${number} of ${plan.commands} commands`)
      try {
        await session.run(`echo ${number} >>log`)
      } catch (error) {
        failed.push(`${number}: ${String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: plan.users }, user))
  await Promise.all(trouble)
  const sandbox = await Sandbox.connect(sandboxId, world.sandboxes.connection)
  const numbers = (await sandbox.files.read('log')).trim().split('\n').map(Number)
  const { runs } = await session.status()
  await session.close()
  return {
    commands: plan.commands,
    lost: Array.from({ length: plan.commands }, (_, number) => number).filter((n) => !numbers.includes(n)),
    twice: numbers.filter((number, index) => numbers.indexOf(number) !== index),
    failed,
    runs,
    longestHistory: await longestHistory(world, id),
    ms: Date.now() - begun,
  }
}

async function longestHistory({ connection }: World, workflowId: string): Promise<number> {
  const { executions } = await connection.workflowService.listWorkflowExecutions({
    namespace: 'default',
    query: `WorkflowId = "${workflowId}"`,
  })
  return Math.max(...(executions ?? []).map(({ historyLength }) => Number(historyLength)))
}
