import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Client, Connection, type WorkflowClient } from '@temporalio/client'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { SEARCH_ATTRIBUTES } from '../../src/contract/search-attributes.ts'
import { connect } from '../../src/index.ts'
import { countOpenJobs } from '../../src/runtime/open-jobs.ts'
import { eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'

let holdfast: Holdfast
beforeAll(async () => {
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(() => holdfast.stop())

interface Metadata {
  currentDetails: string
  definition: Record<'signalDefinitions' | 'queryDefinitions' | 'updateDefinitions', Handler[]>
}
interface Handler {
  name: string
  description: string
}

/** What the Temporal UI asks a workflow for. */
const metadata = (id: string): Promise<Metadata> =>
  holdfast.workflows.getHandle(id).query('__temporal_workflow_metadata')

async function columns(workflows: WorkflowClient, id: string): Promise<Record<string, unknown>> {
  const { typedSearchAttributes } = await workflows.getHandle(id).describe()
  const all = typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value] as const)
  return Object.fromEntries(all.filter(([name]) => name.startsWith('Holdfast')))
}

async function found(query: string): Promise<string[]> {
  const ids: string[] = []
  for await (const { workflowId } of holdfast.workflows.list({ query })) ids.push(workflowId)
  return ids
}

test('a job can be found and counted by what it waits for, and then by its outcome', async () => {
  const open = async () => {
    const counts = await countOpenJobs(holdfast.workflows, holdfast.taskQueue)
    return counts.filter(({ jobs }) => jobs > 0)
  }
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  expect(await columns(holdfast.workflows, spec.id)).toMatchObject({
    HoldfastRepo: spec.repo.url,
    HoldfastBranch: 'holdfast/work',
    HoldfastPhase: 'review',
    HoldfastWaitingFor: 'review',
    HoldfastReviewNeeded: true,
    HoldfastSandboxState: 'paused',
    HoldfastSandboxId: (await job.status()).sandbox.sandboxId,
    HoldfastOwner: 'holdfast',
    HoldfastOutcome: 'open',
  })
  const waiting = `HoldfastReviewNeeded = true AND HoldfastRepo = "${spec.repo.url}"`
  await expect.poll(() => found(waiting)).toEqual([spec.id])
  expect(await open()).toEqual([{ phase: 'review', jobs: 1 }])
  await job.approve({ by: 'the test' })
  await job.result()
  expect(await columns(holdfast.workflows, spec.id)).toMatchObject({
    HoldfastPhase: 'done',
    HoldfastWaitingFor: 'nothing',
    HoldfastReviewNeeded: false,
    HoldfastSandboxState: 'killed',
    HoldfastOutcome: 'completed',
  })
  await expect.poll(() => found(waiting)).toEqual([])
  await expect.poll(open).toEqual([])
  const { events } = await holdfast.workflows.getHandle(spec.id).fetchHistory()
  const upserts = events?.filter((event) => event.upsertWorkflowSearchAttributesEventAttributes)
  expect(upserts).toHaveLength(3)
})

const documented = readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8')

test('every filter that is documented is one that the server takes, and every column is documented', async () => {
  const filters = [...documented.matchAll(/`([^`]* (?:=|!=|>|STARTS_WITH) [^`]*)`/g)].map(
    ([, filter]) => filter!,
  )
  expect(filters.length).toBeGreaterThanOrEqual(10)
  for (const filter of filters)
    expect((await holdfast.workflows.count(filter)).count, filter).toBeGreaterThanOrEqual(0)
  const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name)
  const rows = [...documented.matchAll(/^\| `(Holdfast\w+)`/gm)].map(([, name]) => name!)
  expect(rows.toSorted()).toEqual(names.toSorted())
})

test('where the namespace has no such search attributes, jobs run and only the list is poorer', async () => {
  const address = inject('temporalAddress')
  const namespace = `bare-${randomUUID()}`
  const connection = await Connection.connect({ address })
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  })
  const jobs = await connect({ address, namespace, taskQueue: holdfast.taskQueue })
  try {
    const spec = await holdfast.spec()
    await expect.poll(() => jobs.submit(spec).then(({ id }) => id), { interval: 500 }).toBe(spec.id)
    // The worker registers them, too late for this job.
    await holdfast.startWorker({ TEMPORAL_NAMESPACE: namespace })
    const { outcome } = await jobs.get(spec.id).result()
    expect(outcome).toBe('completed')
    const { workflow } = new Client({ connection, namespace })
    expect(await columns(workflow, spec.id)).toEqual({})
    const later = await jobs.submit(await holdfast.spec())
    await later.result()
    expect(await columns(workflow, later.id)).toMatchObject({ HoldfastOutcome: 'completed' })
  } finally {
    await jobs.close()
    await connection.close()
  }
})

test('a review can be answered by signal; one that is no answer is refused on the page, and the job still waits', async () => {
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const handle = holdfast.workflows.getHandle(spec.id)
  for (const [name, input, why] of [
    ['approve', {}, 'approve: by: is missing'],
    ['reject', undefined, 'reject: by: is missing'],
    ['requestChanges', { by: 'ui' }, 'requestChanges: feedback: is empty'],
    ['requestChanges', { by: 'ui', feedback: 'x', steps: [{ run: 7 }] }, 'steps[0].run'],
  ] as const) {
    const { next } = await handle.query<{ next: number }>('events')
    await handle.signal(name, input)
    expect((await eventOf(job, 'reviewRefused', next)).why).toContain(why)
  }
  expect((await metadata(spec.id)).currentDetails).toContain('**Refused:** `requestChanges: steps[0].run')
  expect((await job.status()).waitingFor).toMatchObject({ kind: 'review' })
  await handle.signal('approve', { by: 'ui' })
  expect((await job.result()).review).toEqual({ decision: 'approve', by: 'ui' })
  expect((await metadata(spec.id)).currentDetails).not.toContain('Refused')
})

test('every query, update and signal of a job says what it is for', async () => {
  const job = await holdfast.jobs.submit(await holdfast.spec())
  await job.result()
  const { definition } = await metadata(job.id)
  const ours = Object.values(definition)
    .flat()
    .filter(({ name }) => name && !name.startsWith('__'))
  expect(ours.map(({ name }) => name).toSorted()).toEqual(
    'allowTool approve approve denyTool diff events notify reject reject requestChanges requestChanges status'.split(
      ' ',
    ),
  )
  expect(ours.filter(({ description }) => !description)).toEqual([])
})

test('what a job was asked to do is in its summary and details, and the reaper has them too', async () => {
  const job = await holdfast.jobs.submit(await holdfast.spec({ review: { required: true } }))
  const { staticSummary, staticDetails } = await holdfast.workflows.getHandle(job.id).describe()
  expect(await staticSummary()).toMatch(/^holdfast\/work of http/)
  expect(await staticDetails()).toContain(
    '- `write NOTES.md`\n- wait for a review, at most 7 days\n- commit: Add notes\n- push',
  )
  await eventOf(job, 'reviewRequested')
  await job.reject({ by: 'the test' })
  const { action } = await holdfast.describeSchedule(`sandbox-reaper-holdfast-${holdfast.taskQueue}`)
  expect(action).toMatchObject({ staticSummary: 'kill sandboxes without an owner' })
})
