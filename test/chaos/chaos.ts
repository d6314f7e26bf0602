import { setTimeout as delay } from 'node:timers/promises'
import { Sandbox } from 'e2b'
import { untilAborted } from '../../src/stack/interrupt.ts'
import { fetchHistories, type NamedHistory, replay, saveHistories } from '../support/histories.ts'
import { Faults } from './faults.ts'
import { type FaultPlan, planOf, withLongWaits } from './plan.ts'
import { type Ran, runJob, specOf } from './run-job.ts'
import { filesWith } from '../support/canaries.ts'
import { type Findings, type Verdict, verdictOn } from './verdict.ts'
import { startWorld, type World } from './world.ts'

export interface ChaosOptions {
  jobs: number
  faults: number
  seed: number
  /** Jobs at once. */
  parallel: number
  /** Events after which a job goes on in a next run of its workflow; Temporal's own word if left out. */
  turnAfter?: number | undefined
  /** Folder for histories that don't replay, and those of jobs with another problem. */
  keepHistories?: string | undefined
  onProgress: (line: string) => void
  /** Told before the world is ended: what hangs in it may end the process then. */
  onVerdict?: (verdict: ChaosVerdict) => void
  /** Gives up; what was started is ended. */
  signal: AbortSignal
}

export interface ChaosVerdict extends Omit<Verdict, 'problems'> {
  jobs: number
  /** Of the jobs' workflows. */
  runs: number
  faults: Record<string, number>
  sandboxesLeaked: number
  secretsFound: number
  seed: number
  problems: string[]
}

/** Runs jobs and faults side by side, then judges. `kept` says whether every promise was. */
export async function chaos(options: ChaosOptions): Promise<{ verdict: ChaosVerdict; kept: boolean }> {
  const { seed, onProgress } = options
  const plan = planOf(seed, options)
  const world = await startWorld(onProgress, options)
  try {
    const faults = new Faults(world)
    const happening: Promise<void>[] = []
    const queue = plan.jobs.map((job, index) => ({ job, index }))
    const ran: Ran[] = []
    const unmade: string[] = []
    const begin = async (fault: FaultPlan): Promise<void> => {
      await delay(fault.afterMs)
      onProgress(`fault: ${fault.kind}`)
      await faults
        .apply(fault)
        .catch((error: Error) => unmade.push(`${fault.kind} was not made: ${error.message}`))
    }
    const runNext = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { index } = next
        const [id, repository] = [`chaos-${seed}-${index}`, `repository-${index}`]
        await world.git.demo(repository)
        const due = plan.faults.filter((fault) => fault.job === index)
        const isDue = (kind: FaultPlan['kind']): boolean => due.some((fault) => fault.kind === kind)
        if (isDue('pushReplyLost')) await losePushReply(world, repository)
        const job = isDue('clockLongWait') ? withLongWaits(next.job) : next.job
        happening.push(...due.map(begin))
        const spec = specOf(job, id, world.git.repoUrl(repository), world.counter.port)
        const done = await runJob(world, job, spec, repository)
        ran.push(done)
        const { end } = done
        onProgress(`${id}: ${end.kind}${end.kind === 'failed' ? ` ${end.type}: ${end.message}` : ''}`)
      }
    }
    await Promise.race([
      allSettled(Array.from({ length: options.parallel }, runNext)),
      untilAborted(options.signal),
    ])
    options.signal.throwIfAborted()
    await Promise.all(happening)
    await world.sandboxes.faults.clear()
    const findings = await Promise.all(ran.map((one) => look(world, one)))
    const judged = verdictOn(findings)
    const secrets = await filesWith([world.git.token], world.folders())
    const leaked = await leftSandboxes(world)
    const histories = await fetchHistories(
      world.connection,
      ran.map(({ id }) => id),
    )
    const unreplayed = await whatDoesNotReplay(histories, judged.problems, options.keepHistories)
    const verdict: ChaosVerdict = {
      ...judged,
      jobs: ran.length,
      runs: histories.length,
      faults: faults.applied,
      sandboxesLeaked: leaked.length,
      secretsFound: secrets.length,
      seed,
      problems: [
        ...judged.problems,
        ...unmade,
        ...secrets.map((file) => `the token is in ${file}`),
        ...leaked,
        ...unreplayed,
      ],
    }
    options.onVerdict?.(verdict)
    return { verdict, kept: verdict.problems.length === 0 }
  } finally {
    await world.stop()
  }
}

/** The remote takes the first push, and dies before it can say so. */
async function losePushReply({ git }: World, repository: string): Promise<void> {
  await git.installHook(
    repository,
    'post-receive',
    'mv hooks/post-receive hooks/done\nkill -KILL $(ps -o ppid= -p $PPID) $PPID',
  )
}

async function look({ git, counter }: World, ran: Ran): Promise<Findings> {
  const branch = `chaos/${ran.id}`
  const head = await git.branchHead(ran.repository, branch)
  const effects = counter.effects().filter(({ job }) => job === ran.id)
  if (!head) return { ...ran, effects, remote: undefined }
  const format = '--format=%(trailers:key=Holdfast-Job,valueonly,separator=%x2C)'
  const trailers = await git.git(ran.repository, ['log', format, `main..${branch}`])
  const log = await git.git(ran.repository, ['show', `${branch}:effects.log`])
  const jobCommits = trailers.split('\n').filter((trailer) => trailer.startsWith(`${ran.id}/`)).length
  return { ...ran, effects, remote: { head, jobCommits, effectsLog: log.trim().split('\n') } }
}

/** Sandboxes that are there after the reaper has had its turn: every job has ended, and none asked to keep its own. */
async function leftSandboxes(world: World): Promise<string[]> {
  await world.jobs.sandboxes({ reap: true, graceMs: 0 })
  const left = await Sandbox.list(world.sandboxes.connection).nextItems()
  return left.map(
    ({ sandboxId, metadata }) => `sandbox ${sandboxId} of ${metadata.holdfastWorkflowId} is left`,
  )
}

/** Waits for all, and only then throws what one of them threw: the world has to be there for the others. */
async function allSettled(work: Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

async function whatDoesNotReplay(
  histories: NamedHistory[],
  problems: string[],
  folder?: string,
): Promise<string[]> {
  const broken = await replay(histories)
  const ids = new Set(broken.map(({ workflowId }) => workflowId))
  if (folder)
    await saveHistories(
      folder,
      histories.filter(
        ({ workflowId }) =>
          ids.has(workflowId) ||
          problems.some((text) => text.startsWith(`${workflowId.replace(/-run-\d+$/, '')}: `)),
      ),
    )
  return broken.map(({ workflowId, message }) => `${workflowId} does not replay: ${message}`)
}
