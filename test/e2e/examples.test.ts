import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { DEFAULT_TASK_QUEUE } from '../../src/contract/job.ts'
import { type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { KERNELS_MS, prepareKernels } from '../support/kernels.ts'

let holdfast: Holdfast
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-examples-'))
  holdfast = await startHoldfast({ sandboxArgs: await prepareKernels() })
  // The examples connect as a backend would: to the default task queue, which no other test file uses.
  await holdfast.startWorker({ HOLDFAST_TASK_QUEUE: DEFAULT_TASK_QUEUE })
}, KERNELS_MS)
afterAll(async () => {
  await holdfast.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Runs one as its first lines say. @returns what it prints */
async function run(example: string, ...args: string[]): Promise<string> {
  const { stdout } = await execa(process.execPath, ['--import', 'tsx', `examples/${example}`, ...args], {
    env: { TEMPORAL_ADDRESS: inject('temporalAddress'), E2B_SANDBOX_URL: holdfast.sandboxes.sandboxUrl },
  })
  return stdout
}

const lastLine = (stdout: string) => JSON.parse(stdout.split('\n').at(-1) ?? '') as Record<string, unknown>

describe.concurrent('examples', () => {
  test('submit-job.ts submits, follows and prints the result, and run again finds the same job', async () => {
    const { repo } = await holdfast.spec()
    const first = await run('submit-job.ts', repo.url)
    const result = lastLine(first)
    expect(result).toMatchObject({ outcome: 'completed', branch: 'holdfast/example-notes' })
    expect(await holdfast.repository(repo.url).head('holdfast/example-notes')).toBe(result.commit)
    expect(await run('submit-job.ts', repo.url)).toBe(first)
  })

  test('review-flow.ts shows two diffs, asks for a change in between, and has the work pushed', async () => {
    const { repo } = await holdfast.spec()
    const printed = await run('review-flow.ts', repo.url)
    expect(printed).toMatch(
      /^round 1: 1 file, \+1 -0$[^]*^\+Hello\.$[^]*^round 2: [^]*^\+and how are you\?$/m,
    )
    const { outcome, commit } = lastLine(printed)
    expect(outcome).toBe('completed')
    const greeting = await holdfast.repository(repo.url).show(`${String(commit)}:GREETING.md`)
    expect(greeting).toBe('Hello.\nand how are you?')
  })

  test('session.ts uses, pauses, forks and closes a session', async () => {
    expect((await run('session.ts')).split('\n')).toEqual([
      'sum.sh says 42, exit code 0',
      'a failed command has exit code 3',
      'FileNotFound; check the path in the sandbox',
      'the session is paused',
      'after the resume: done',
      'the fork has its own files; here are done.txt and sum.sh',
    ])
  })

  test('code-session.ts draws again after a pause, with the variables still there', async () => {
    expect((await run('code-session.ts', folder)).split('\n')).toEqual([
      expect.stringMatching(/^first.png: "15 sold", Mon Tue Wed, \d+ bytes$/),
      'the session is paused',
      expect.stringMatching(/^second.png: "24 sold", Mon Tue Wed Thu, \d+ bytes$/),
    ])
    const pictures = await Promise.all(
      ['first.png', 'second.png'].map((name) => readFile(join(folder, name))),
    )
    for (const picture of pictures) expect(picture.subarray(1, 4).toString()).toBe('PNG')
    expect(pictures[0]).not.toEqual(pictures[1])
  })

  test('preview-url.ts finds the same server after a pause, which nobody reaches meanwhile', async () => {
    expect((await run('preview-url.ts')).split('\n')).toEqual([
      '200 visit 1',
      'while paused: 502',
      '200 visit 2',
    ])
  })
})
