import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type FrameLocator, type Locator, type Page } from 'playwright-core'

const IMAGES = fileURLToPath(new URL('../../docs/images', import.meta.url))
const TIMEOUT_MS = 15_000

/** Debian's Chromium, or the one that `CHROMIUM_PATH` names. */
export function startBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
  if (!existsSync(executablePath))
    throw new Error(`no ${executablePath}: apt-get install chromium, or name another one by CHROMIUM_PATH`)
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

/** The Temporal UI as a person uses it. */
export class TemporalUi {
  readonly page: Page
  readonly #address: string

  private constructor(page: Page, address: string) {
    this.page = page
    this.#address = address
  }

  /** A new visitor, who has nothing of earlier ones. @param password given where a server asks for one */
  static async open(browser: Browser, address: string, password?: string): Promise<TemporalUi> {
    const page = await browser.newPage({
      viewport: { width: 1280, height: 800 },
      locale: 'en-US',
      ...(password && { httpCredentials: { username: 'anyone', password } }),
    })
    page.setDefaultTimeout(TIMEOUT_MS)
    return new TemporalUi(page, address)
  }

  async list(filter: string): Promise<Locator> {
    await this.page.goto(`${this.#address}/namespaces/default/workflows?query=${encodeURIComponent(filter)}`)
    await this.page.getByRole('heading', { name: /^\d+ Workflows?$/ }).waitFor()
    return this.page.locator('tbody tr')
  }

  async history(workflowId: string): Promise<void> {
    await this.page.goto(`${this.#address}/namespaces/default/workflows/${workflowId}`)
    await this.page.getByRole('heading', { name: 'Event History' }).waitFor()
  }

  /** The job's living page. */
  async currentDetails(workflowId: string): Promise<FrameLocator> {
    await this.history(workflowId)
    await this.page.getByText('User Metadata').click()
    const details = this.page.locator('iframe[src*="As%20of"]')
    await details.waitFor()
    return details.contentFrame()
  }

  /** Opens the form, and chooses the message by its name. */
  async form(action: 'Send an Update' | 'Send a Signal', name: string): Promise<Locator> {
    await this.page.getByRole('button', { name: 'More Actions' }).click()
    await this.page.getByRole('menuitem', { name: action }).click()
    const form = this.page.locator('dialog[open]')
    await form.locator('button[aria-haspopup]').click()
    await form.getByRole('option', { name: new RegExp(`^${name}\\b`) }).click()
    return form
  }

  async submit(form: Locator, input: string): Promise<void> {
    const editor = form.locator('.cm-content[contenteditable=true]')
    await editor.fill(input)
    // Left, it sets the JSON out, and what is beneath moves.
    await editor.blur()
    await form.getByRole('button', { name: 'Submit' }).click()
  }

  /** For this visitor's browser, and what is shown from now on; with the credentials that it has for the codec server. */
  async useCodecServer(url: string): Promise<void> {
    await this.page.getByTestId('data-encoder-status').click()
    await this.page.getByPlaceholder('Paste your endpoint here').fill(url)
    await this.page.getByText('Include cross-origin credentials').click()
    await this.page.getByTestId('confirm-data-encoder-button').click()
    await this.page.reload()
  }

  /** Keeps what is to be seen now for the docs, where `HOLDFAST_SCREENSHOTS` asks for it. */
  async keep(name: string): Promise<void> {
    if (!process.env.HOLDFAST_SCREENSHOTS) return
    await mkdir(IMAGES, { recursive: true })
    // Once what moves in has come to rest.
    await this.page.waitForTimeout(500)
    await this.page.screenshot({ path: join(IMAGES, `${name}.png`), animations: 'disabled' })
  }
}
