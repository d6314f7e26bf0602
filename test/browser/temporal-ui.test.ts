import { readFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest'
import { FIX_PATCH } from '../../src/demo/fix.ts'
import type { Job } from '../../src/index.ts'
import { eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { startBrowser, TemporalUi } from './ui.ts'

let holdfast: Holdfast
let browser: Browser
let ui: TemporalUi
let [running, reviewed, asked, failed]: Job[] = []

beforeAll(async () => {
  browser = await startBrowser()
  ui = await TemporalUi.open(browser, inject('temporalUi'))
  holdfast = await startHoldfast()
  await holdfast.startWorker()
  const [test, mend] = [{ run: 'npm test' }, { name: 'carry when a unit rounds up', patch: FIX_PATCH }]
  const submit = async (
    id: string,
    repository: string,
    changes: Parameters<Holdfast['spec']>[0],
  ): Promise<Job> => holdfast.jobs.submit({ ...(await holdfast.spec(changes, repository)), id })
  const review = { review: { required: true }, checks: [test] }
  failed = await submit('fix-rounding-unmended', 'acme-api', { checks: [test] })
  reviewed = await submit('fix-rounding', 'acme-web', { steps: [mend], ...review })
  asked = await submit('fix-rounding-in-two-rounds', 'acme-cli', { review: { required: true } })
  running = await submit('soak-the-parser', 'acme-parser', {
    steps: [mend, { run: 'npm test && sleep 600' }],
  })
  await Promise.all([
    eventOf(reviewed, 'reviewRequested'),
    eventOf(asked, 'reviewRequested'),
    expect(failed.result()).rejects.toMatchObject({ type: 'CheckFailed' }),
    vi.waitUntil(async () => (await running!.status()).current?.endsWith('sleep 600'), { timeout: 30_000 }),
  ])
})
afterAll(async () => {
  await running?.cancel()
  await browser?.close()
  await holdfast?.stop()
})

const documented = readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8')

test('the list has our columns by the documented script, and the documented filter finds what waits for a review', async () => {
  await ui.list('WorkflowType = "agentJob"')
  const [, script] = /```js\n(.*?)```/s.exec(documented)!
  await ui.page.evaluate(script!)
  const rows = await ui.list('WorkflowType = "agentJob"')
  const row = (id: string) => rows.filter({ has: ui.page.getByRole('link', { name: id, exact: true }) })
  await expect
    .poll(() => row('fix-rounding').innerText(), { timeout: 10_000 })
    .toMatch(/review.*true.*paused.*open/s)
  expect(await row('fix-rounding-unmended').innerText()).toMatch(/Failed.*done.*false.*CheckFailed/s)
  expect(await row('soak-the-parser').innerText()).toMatch(/Running.*steps.*false.*running/s)
  await ui.keep('list')
  const waiting = await ui.list('HoldfastReviewNeeded = true')
  await expect.poll(() => waiting.count(), { timeout: 10_000 }).toBe(2)
})

test('the page of a running job says what runs and how to watch it', async () => {
  const details = await ui.currentDetails(running!.id)
  await details.getByRole('heading', { name: 'steps: npm test && sleep 600' }).waitFor()
  await details.getByText('holdfast watch soak-the-parser').waitFor()
  expect(await details.getByRole('row', { name: 'carry when a unit rounds up' }).innerText()).toContain('ok')
  await ui.keep('running')
})

test('the page of a failed job says why, what to do, and what was printed last', async () => {
  const details = await ui.currentDetails(failed!.id)
  await details.getByRole('heading', { name: 'CheckFailed' }).waitFor()
  await details.getByText('What to do: read the check’s output').waitFor()
  expect(await details.getByRole('row', { name: 'check: npm test' }).innerText()).toContain('exit 1')
  await details.getByText('Last of what npm test printed').waitFor()
  await ui.keep('failed')
})

test('a review is answered by the form of updates: what is no answer is refused with what is missing, and then the job goes on to its end', async () => {
  const details = await ui.currentDetails(reviewed!.id)
  await details.getByText('Waits for a review').waitFor()
  expect(await details.getByRole('row', { name: 'sandbox' }).innerText()).toContain('paused since')
  await ui.keep('review')
  const form = await ui.form('Send an Update', 'approve')
  await ui.submit(form, '{}')
  await form
    .getByText('by: is missing; say who answers, as in {"by": "your name"}', { exact: true })
    .waitFor()
  await ui.keep('refused')
  await ui.submit(form, '{"by": "ada"}')
  const { outcome, review } = await reviewed!.result()
  expect([outcome, review]).toEqual(['completed', { decision: 'approve', by: 'ada' }])
  await ui.history(reviewed!.id)
  for (const line of ['clone http', 'check: npm test', 'wait for a review', 'commit', 'push holdfast/work'])
    await ui.page.getByText(line).first().waitFor()
  await ui.page
    .getByRole('heading', { name: 'Event History' })
    .evaluate((heading) => heading.scrollIntoView())
  await ui.keep('history')
})

test('a review is answered by the form of signals: a wrong one is refused on the page, changes are made, and the job waits again', async () => {
  await ui.currentDetails(asked!.id)
  await ui.submit(await ui.form('Send a Signal', 'requestChanges'), '{"by": "ada"}')
  await eventOf(asked!, 'reviewRefused')
  await (
    await ui.currentDetails(asked!.id)
  )
    .getByText('requestChanges: feedback: is empty; say what to change')
    .waitFor()
  const { next } = await holdfast.workflows.getHandle(asked!.id).query<{ next: number }>('events')
  await ui.submit(
    await ui.form('Send a Signal', 'requestChanges'),
    '{"by": "ada", "feedback": "test it too"}',
  )
  await eventOf(asked!, 'reviewRequested', next)
  await (await ui.currentDetails(asked!.id)).getByRole('heading', { name: 'review (round 2)' }).waitFor()
  await ui.submit(await ui.form('Send a Signal', 'approve'), '{"by": "ada"}')
  expect((await asked!.result()).outcome).toBe('completed')
})
