import { randomBytes } from 'node:crypto'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { Job } from '../../src/index.ts'
import { eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { type Program, startProgram } from '../support/program.ts'
import { steadyPort } from '../support/steady-port.ts'
import { startBrowser, TemporalUi } from './ui.ts'

const encryptionKeys = `2026-11:${randomBytes(32).toString('base64')}`
const TOKEN = 'the-token-of-the-codec-server'
const SECRET_PLAN = 'the secret plan'

let holdfast: Holdfast
let browser: Browser
let codecServer: Program
let codecUrl: string
let job: Job

beforeAll(async () => {
  browser = await startBrowser()
  holdfast = await startHoldfast({ encryptionKeys })
  codecUrl = `http://127.0.0.1:${await steadyPort()}`
  const port = new URL(codecUrl).port
  codecServer = startProgram(['codec-server', '--port', port, '--origin', inject('temporalUi')], {
    HOLDFAST_ENCRYPTION_KEYS: encryptionKeys,
    HOLDFAST_CODEC_TOKEN: TOKEN,
    HOLDFAST_BLOB_STORE: holdfast.blobStore,
  })
  await holdfast.startWorker()
  const spec = await holdfast.spec(
    { steps: [{ write: 'PLAN.md', content: SECRET_PLAN }], review: { required: true } },
    'acme-plans',
  )
  job = await holdfast.jobs.submit({ ...spec, id: 'write-the-plan' })
  await Promise.all([eventOf(job, 'reviewRequested'), codecServer.until('stdout', /codec server is at/)])
})
afterAll(async () => {
  await job?.cancel()
  await browser?.close()
  codecServer?.send('SIGTERM')
  await codecServer?.ended
  await holdfast?.stop()
})

/** @param password the answer where the browser asks for one */
async function visitor(password?: string): Promise<TemporalUi> {
  const ui = await TemporalUi.open(browser, inject('temporalUi'), password)
  await ui.history(job.id)
  return ui
}

const shown = (ui: TemporalUi): Promise<string> => ui.page.locator('main').innerText()
async function untilShown(ui: TemporalUi, text: string): Promise<void> {
  await expect.poll(() => shown(ui), { timeout: 15_000 }).toContain(text)
}

test('without a codec server the Temporal UI shows ciphertext, and no summary', async () => {
  const ui = await visitor()
  await untilShown(ui, 'encryption-key-id')
  expect(await shown(ui)).not.toMatch(/secret plan|write: PLAN\.md|acme-plans/)
  await ui.keep('encrypted')
})

test('who has a wrong token sees no more with the codec server set, and that it refused', async () => {
  const ui = await visitor('a wrong token')
  await ui.useCodecServer(codecUrl)
  await ui.page.getByTestId('data-encoder-status-error').waitFor()
  await untilShown(ui, 'encryption-key-id')
  expect(await shown(ui)).not.toContain(SECRET_PLAN)
})

test('who has given the token once reads everything, and answers the review', async () => {
  const ui = await visitor()
  // As somebody does who answers the browser's question for the password.
  await ui.page.goto(codecUrl.replace('://', `://anyone:${TOKEN}@`))
  await ui.page.getByText('this browser is known now').waitFor()
  await ui.history(job.id)
  await ui.useCodecServer(codecUrl)
  await ui.page.getByTestId('data-encoder-status-success').waitFor()
  await untilShown(ui, SECRET_PLAN)
  await untilShown(ui, 'write: PLAN.md')
  await ui.keep('decrypted')
  const details = await ui.currentDetails(job.id)
  await details.getByText('Waits for a review').waitFor()
  await ui.submit(await ui.form('Send an Update', 'approve'), '{"by": "ada"}')
  expect((await job.result()).review).toEqual({ decision: 'approve', by: 'ada' })
})
