import { setTimeout as delay } from 'node:timers/promises'
import {
  type AgentJobInput,
  HoldfastError,
  type Job,
  type JobEvent,
  type JobResult,
  secret,
} from '../../src/index.ts'
import type { JobPlan, StepPlan } from './plan.ts'
import type { World } from './world.ts'

/** How a job ended, as its submitter sees it. */
export type End =
  | { kind: 'completed'; result: JobResult }
  | { kind: 'failed'; type: string; message: string }
  | { kind: 'hung' }

export interface Ran {
  id: string
  plan: JobPlan
  repository: string
  end: End
  events: JobEvent[]
}

export const SANDBOX_TIMEOUT_MS = 8_000
const DEADLINE_MS = 5 * 60_000

/** With which a command ends that has no room for its line. */
export const DISK_FULL = 75

/** The name of a command in its job's effects. */
export const commandName = (index: number): string => `c${index}`

export function specOf(plan: JobPlan, id: string, url: string, counterPort: number): AgentJobInput {
  return {
    id,
    repo: { url, auth: secret('GIT_TOKEN') },
    branch: `chaos/${id}`,
    steps: plan.steps.map((step, index) => stepOf(step, index, id, counterPort)),
    checks: [{ run: effectfulCheck(plan.checkMs, id, counterPort), name: 'check' }],
    ...(plan.answers.length > 0 && { review: { timeout: '1h' } }),
    commit: { message: `Chaos ${id}` },
    push: true,
    sandbox: { keep: 'never', timeout: SANDBOX_TIMEOUT_MS, pauseAfter: 1_500 },
  }
}

function stepOf(step: StepPlan, index: number, id: string, port: number): AgentJobInput['steps'][number] {
  switch (step.kind) {
    case 'command':
      return { run: effectful(index, step.ms, id, port), rerun: step.rerun, name: `command ${index}` }
    case 'write':
      return { write: `written-${index}`, content: `${id}\n` }
    case 'sleep':
      return { sleep: step.ms }
    case 'waitFor':
      return { waitFor: `n${index}`, timeout: '1h' }
  }
}

/** A command with an effect inside, a line in the repository, and one outside, counted there. */
function effectful(index: number, ms: number, id: string, port: number): string {
  return `command=${commandName(index)}-\${HOLDFAST_ROUND:-1}
echo "$command" >>effects.log || exit ${DISK_FULL}
${tell(id, port)}
sleep ${ms / 1000}`
}

/** A check only has an effect outside; what is there already tells its rounds apart. */
const effectfulCheck = (ms: number, id: string, port: number): string =>
  `command=check-$(wc -l <effects.log)\n${tell(id, port)}\nsleep ${ms / 1000}`

const tell = (id: string, port: number): string => `nonce=$(cat /proc/sys/kernel/random/uuid)
for try in $(seq 600); do
  curl -sf --max-time 5 "http://127.0.0.1:${port}/${id}/$command/$nonce/$E2B_SANDBOX_ID" && break
  sleep 0.2
done`

/** Submits a job, answers for its people, and waits for its end, whatever becomes of the servers meanwhile. */
export async function runJob(
  world: World,
  plan: JobPlan,
  spec: AgentJobInput,
  repository: string,
): Promise<Ran> {
  const [hung, ended] = [new AbortController(), new AbortController()]
  const job = await persistently(() => world.jobs.submit(spec))
  const steering = steer(job, plan, hung.signal)
  const deadline = delay(DEADLINE_MS, { kind: 'hung' } as const, { signal: ended.signal })
  const end = await Promise.race([ending(job), deadline])
  if (end.kind === 'hung') {
    world.onProgress(`${spec.id} hangs: ${JSON.stringify(await stateOf(world, job))}`)
    hung.abort()
  }
  ended.abort()
  return { id: spec.id, plan, repository, end, events: await steering }
}

/** For whoever looks into a hang. */
async function stateOf({ connection }: World, job: Job): Promise<unknown> {
  const status = await job.status().catch(String)
  const { pendingActivities } = await connection.workflowService.describeWorkflowExecution({
    namespace: 'default',
    execution: { workflowId: job.id },
  })
  const activities = pendingActivities?.map(({ activityType, attempt, state, lastFailure }) => ({
    type: activityType?.name,
    attempt,
    state,
    failure: lastFailure?.message,
  }))
  return { status, activities }
}

async function ending(job: Job): Promise<End> {
  try {
    return { kind: 'completed', result: await persistently(() => job.result()) }
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    return { kind: 'failed', type: error.type, message: error.message }
  }
}

/** Answers each review and sends each notification, and collects the events. */
async function steer(job: Job, plan: JobPlan, signal: AbortSignal): Promise<JobEvent[]> {
  const seen: JobEvent[] = []
  let reviews = 0
  const acts: Promise<unknown>[] = []
  const later = (ms: number, act: () => Promise<void>): void => {
    const done = delay(ms)
      .then(() => persistently(act))
      // An answer whose reply was lost is refused when it is given again.
      .catch((error: HoldfastError) => {
        if (!['NotWaitingForReview', 'JobNotFound', 'InternalError'].includes(error.type)) throw error
      })
    // What fails is told at the end, and until then ends nothing else.
    done.catch(() => undefined)
    acts.push(done)
  }
  for (;;)
    try {
      for await (const event of job.events({ from: seen.length, signal })) {
        seen.push(event)
        if (event.type === 'reviewRequested') {
          const answer = plan.answers[reviews++]
          if (answer) later(answer.afterMs, () => give(job, answer.decision))
        }
        if (event.type === 'waitBegan' && event.for.startsWith('wait for ')) {
          const index = Number(event.for.slice('wait for n'.length))
          const step = plan.steps[index]
          if (step?.kind === 'waitFor') later(step.notifyAfterMs, () => job.notify(`n${index}`))
        }
      }
      await Promise.all(acts)
      return seen
    } catch (error) {
      if (signal.aborted) return seen
      if (!(error instanceof HoldfastError) || !TRANSIENT.has(error.type)) throw error
      await delay(200)
    }
}

function give(job: Job, decision: 'approve' | 'requestChanges' | 'reject'): Promise<void> {
  const by = 'chaos'
  if (decision === 'approve') return job.approve({ by })
  if (decision === 'reject') return job.reject({ by })
  return job.requestChanges({ by, feedback: 'again, please' })
}

/**
 * A worker whose cached state is of a server that died may fail a query once (`InternalError`), and then replays; whether the
 * history does replay is judged at the end.
 */
const TRANSIENT = new Set(['ServerUnreachable', 'NoWorker', 'InternalError'])

/** As a backend would: a server that can't be reached is asked again. */
async function persistently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof HoldfastError) || !TRANSIENT.has(error.type) || tries > 600) throw error
      await delay(200)
    }
}
