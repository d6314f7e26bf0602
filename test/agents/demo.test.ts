import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'

/** What would make the demo use something else than its own parts. */
const FOREIGN = /^(TEMPORAL_(?!CLI_PATH)|E2B_|HOLDFAST_|OPENAI_)/

test('from nothing, npm start -- --agent has OpenCode mend the test, and pushes it', async () => {
  const state = await mkdtemp(join(tmpdir(), 'holdfast-demo-'))
  onTestFinished(async () => {
    const name = createHash('sha256').update(state).digest('hex').slice(0, 12)
    await rm(join('/var/lib/holdfast', name), { recursive: true, force: true })
    await rm(state, { recursive: true, force: true })
  })
  const own = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name))
  const { stdout, stderr } = await execa('npm', ['start', '--', '--agent', '--yes', '--exit', '--json'], {
    env: { ...Object.fromEntries(own), HOLDFAST_STATE: state, NO_COLOR: '1' },
    extendEnv: false,
  })
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
  expect(result).toMatchObject({ status: 'completed', commit: expect.stringMatching(/^[0-9a-f]{40}$/) })
  expect(result.remoteHead).toBe(result.commit)
  expect(stderr).toContain('I round before splitting, so that what rounds up carries.')
})
