import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { stringify } from 'yaml'
import type { AgentJobInput, Job, JobEvent, OutputChunk } from '../../src/index.ts'
import { steadyPort } from '../support/steady-port.ts'
import { eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import { type Ended, type Program, startProgram } from '../support/program.ts'

let holdfast: Holdfast
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
  holdfast = await startHoldfast()
  await holdfast.startWorker()
})
afterAll(async () => {
  await holdfast.stop()
  await rm(folder, { recursive: true, force: true })
})

const start = (...args: string[]): Program =>
  startProgram(['--address', inject('temporalAddress'), '--task-queue', holdfast.taskQueue, ...args], {
    HOLDFAST_BLOB_STORE: holdfast.blobStore,
  })

const run = (...args: string[]): Promise<Ended> => start(...args).ended

async function yamlFile(content: unknown): Promise<string> {
  const path = join(folder, `${randomUUID()}.yaml`)
  await writeFile(path, stringify(content))
  return path
}

const jsonLines = <T>(stdout: string): T[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T)

/** A job at its review. */
async function reviewedJob(): Promise<{ spec: AgentJobInput; job: Job; asked: JobEvent }> {
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  return { spec, job, asked: await eventOf(job, 'reviewRequested') }
}

describe.concurrent('a job by the command line', () => {
  test('from file to pushed branch: submit, watch, status, diff, approve', async () => {
    const spec = await holdfast.spec({ review: { required: true } })
    const submitted = await run('submit', await yamlFile(spec))
    expect(submitted.code, submitted.stderr).toBe(0)
    const watchWith = `holdfast --address ${inject('temporalAddress')} watch ${spec.id}`
    expect(submitted.stdout).toBe(`${spec.id}\nwatch it with: ${watchWith}\n`)

    const watch = start('watch', spec.id)
    await watch.until('stderr', new RegExp(`approve ${spec.id}`))

    const [status, diff] = await Promise.all([run('status', spec.id), run('diff', spec.id)])
    expect(status.code, status.stderr).toBe(0)
    expect(status.stdout).toMatch(/^phase +review$/m)
    expect(status.stdout).toMatch(/^waits for +a review/m)
    expect(diff.stdout).toContain('+++ b/NOTES.md\n@@ -0,0 +1 @@\n+made by a job\n')

    const approved = await run('approve', spec.id, '--by', 'alice', '--comment', 'nice')
    expect(approved.code, approved.stderr).toBe(0)
    expect(approved.stdout).toContain(`approved ${spec.id} as alice`)

    const { code, stdout, stderr } = await watch.ended
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/▸ clone[^]*✔ approved by alice: nice[^]*✔ done/)
    expect(stdout).toMatch(/^outcome +completed$/m)
    const head = await holdfast.repository(spec.repo.url).head('holdfast/work')
    expect(stdout).toMatch(new RegExp(`^commit +${head}$`, 'm'))
  })

  test('reject ends the job, and watch with 3', async () => {
    const { spec, job } = await reviewedJob()
    const rejected = await run('reject', job.id, '--by', 'bob', '--reason', 'not now', '--json')
    expect(JSON.parse(rejected.stdout)).toEqual({ id: job.id, decision: 'reject', by: 'bob' })
    const { code, stdout, stderr } = await run('watch', job.id)
    expect(code, stderr).toBe(3)
    expect(stderr).toContain('✘ rejected by bob: not now')
    expect(stdout).toMatch(/^outcome +rejected$/m)
    expect(await holdfast.repository(spec.repo.url).head('holdfast/work')).toBeUndefined()

    const late = await run('approve', job.id)
    expect(late.code).toBe(7)
    expect(late.stderr).toContain('error NotWaitingForReview: ')
  })

  test('request-changes leads to a second round, with the feedback and the steps of a file', async () => {
    const { spec, job, asked } = await reviewedJob()
    const steps = await yamlFile([{ run: 'echo "$HOLDFAST_FEEDBACK" >>NOTES.md' }])
    const request = await run('request-changes', job.id, '--feedback', 'say more', '--steps', steps)
    expect(request.code, request.stderr).toBe(0)
    await eventOf(job, 'reviewRequested', asked.seq + 1)
    const status = await run('status', job.id)
    expect(status.stdout).toMatch(/^phase +review, round 2$/m)
    expect((await run('diff', job.id)).stdout).toContain('+made by a job\n+say more\n')

    const again = await run('request-changes', job.id, '--feedback', 'as before')
    expect(again.code, again.stderr).toBe(0)
    await eventOf(job, 'reviewRequested', (await eventOf(job, 'reviewRequested', asked.seq + 1)).seq + 1)
    await run('approve', job.id)
    const { commit } = await job.result()
    const notes = await holdfast.repository(spec.repo.url).show(`${commit}:NOTES.md`)
    expect(notes).toBe('made by a job')
  })

  test('cancel ends the job in the middle of a command, and watch with 6', async () => {
    const spec = await holdfast.spec({ steps: [{ run: 'echo begun; sleep 100' }] })
    const job = await holdfast.jobs.submit(spec)
    const watch = start('watch', job.id)
    await watch.until('stderr', /│ begun/)
    const cancelled = await run('cancel', job.id, '--json')
    expect(JSON.parse(cancelled.stdout)).toEqual({ id: job.id, cancelRequested: true })
    const { code, stdout, stderr } = await watch.ended
    expect(code, stderr).toBe(6)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/■ cancelled[^]*error JobCancelled: [^]*remedy: /)
  })

  test('output prints a step while it runs, goes on where Ctrl-C left it, and prints it again afterwards', async () => {
    const spec = await holdfast.spec({
      steps: [
        // Its last sign can't be the beginning of a secret, for which more would be waited.
        { run: 'printf "one "; until [ -e ~/go ]; do sleep 0.05; done; seq 5000; echo aside >&2' },
        { write: 'NOTES.md', content: 'made by a job\n' },
      ],
    })
    const job = await holdfast.jobs.submit(spec)
    await eventOf(job, 'stepStarted')
    const live = start('output', job.id)
    await live.until('stdout', /^one $/)
    live.send('SIGINT')
    const stopped = await live.ended
    expect(stopped.code, stopped.stderr).toBe(130)
    const [sandbox] = await holdfast.connectSandboxes(job.id)
    await sandbox!.files.write('/home/user/go', '')
    const numbers = Array.from({ length: 5_000 }, (_, n) => `${n + 1}\n`).join('')
    const goOn = /go on with: holdfast .* output \S+ (.*)/.exec(stopped.stderr)![1]!
    const rest = await run('output', job.id, ...goOn.split(' '))
    expect([rest.code, rest.stdout, rest.stderr]).toEqual([0, numbers, 'aside\n'])
    await job.result()
    const all = await run('output', job.id, '--step', '0', '--json')
    const texts = jsonLines<OutputChunk>(all.stdout)
    const stdout = texts.filter(({ stream }) => stream === 'stdout').map(({ text }) => text)
    expect(stdout.join('')).toBe(`one ${numbers}`)
  })

  test('submit --watch of a job that fails ends with 1, and tells type, output and remedy once', async () => {
    const spec = await holdfast.spec({ steps: [{ run: 'echo why it failed; exit 7' }] })
    const { code, stdout, stderr } = await run('submit', await yamlFile(spec), '--watch')
    expect(code, stderr).toBe(1)
    expect(stdout).toBe(`${spec.id}\n`)
    expect(stderr.match(/StepFailed/g)).toHaveLength(1)
    expect(stderr).toContain('why it failed')
    expect(stderr).toContain("read the step's output")

    const asJson = await run('watch', spec.id, '--json')
    expect(asJson.code).toBe(1)
    expect(jsonLines(asJson.stdout).at(-1)).toMatchObject({
      error: { type: 'StepFailed', output: 'why it failed\n', remedy: expect.any(String) },
    })
  })

  test('the same file submitted twice is one job; another spec under its id ends with 7', async () => {
    const spec = await holdfast.spec()
    const file = await yamlFile(spec)
    const both = await Promise.all([run('submit', file, '--json'), run('submit', file, '--json')])
    const [first, second] = both.map(({ stdout }) => JSON.parse(stdout) as { id: string; runId: string })
    expect(first).toMatchObject({ id: spec.id, runId: expect.any(String) })
    expect(second).toEqual(first)
    const other = await run('submit', await yamlFile({ ...spec, branch: 'holdfast/other' }))
    expect(other.code).toBe(7)
    expect(other.stderr).toMatch(/^error SpecConflict: .*\nremedy: use another id/)
    await holdfast.jobs.get(spec.id).result()
  })
})

describe.concurrent('what is not there', () => {
  const id = `session-${randomUUID()}`
  beforeAll(() => holdfast.jobs.sessions.open(id))
  afterAll(() => holdfast.jobs.sessions.get(id).close())

  test.each([
    ['a job without an id', 4, 'JobNotFound', ['status', '']],
    ['a job, but a session', 4, 'JobNotFound', ['status', id]],
    ['a job to answer, but a session', 4, 'JobNotFound', ['approve', id]],
    ['a namespace', 2, 'SettingsInvalid', ['status', 'x', '--namespace', 'nope']],
    ['a blob, but a folder', 1, 'BlobMissing', ['blob', '.']],
  ])('%s, ends with %i', async (_, exitCode, type, args) => {
    const { code, stderr } = await run(...args)
    expect(code, stderr).toBe(exitCode)
    expect(stderr).toMatch(new RegExp(`^error ${type}: `))
  })
})

describe.concurrent('watching', () => {
  test('with --json each event is a line, and the result the last; --from goes on where one was', async () => {
    const spec = await holdfast.spec()
    const submitted = await run('submit', await yamlFile(spec), '--json')
    expect(submitted.code, submitted.stderr).toBe(0)
    const { code, stdout, stderr } = await run('watch', spec.id, '--json')
    expect(code, stderr).toBe(0)
    expect(stderr).toBe('')
    const lines = jsonLines<JobEvent>(stdout)
    const result = lines.pop()
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index))
    expect(lines.at(-1)).toMatchObject({ type: 'phase', phase: 'done' })
    expect(result).toMatchObject({ outcome: 'completed', branch: 'holdfast/work' })

    const [fromFive, list] = await Promise.all([
      run('watch', spec.id, '--json', '--from', '5'),
      run('list', '--json', '--query', `WorkflowId = "${spec.id}"`),
    ])
    expect(jsonLines(fromFive.stdout)).toEqual([...lines.slice(5), result])
    expect(JSON.parse(list.stdout)).toMatchObject([{ id: spec.id, status: 'COMPLETED' }])
  })

  test('Ctrl-C ends it with 130, and what it says to go on with shows only what came after', async () => {
    const { job } = await reviewedJob()
    const watch = start('watch', job.id)
    await watch.until('stderr', new RegExp(`approve ${job.id}`))
    watch.send('SIGINT')
    const { code, stdout, stderr } = await watch.ended
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    const remedy = /^remedy: watch it again with: holdfast (.* --from \d+)$/m.exec(stderr)
    expect(remedy, stderr).not.toBeNull()
    expect(await job.status()).toMatchObject({ phase: 'review' })

    await job.reject({ by: 'the test' })
    const again = await startProgram(remedy![1]!.split(' ')).ended
    expect(again.code).toBe(3)
    expect(again.stderr.split('\n')[0]).toContain('✘ rejected by the test')
  })

  test('a job that nobody submitted ends it with 4', async () => {
    const { code, stderr } = await run('watch', 'nobody-made-this')
    expect(code).toBe(4)
    expect(stderr).toContain('error JobNotFound: there is no job nobody-made-this')
  })
})

describe.concurrent('holdfast worker', () => {
  const settings = () => ({
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    HOLDFAST_TASK_QUEUE: `other-${randomUUID()}`,
    E2B_API_KEY: holdfast.sandboxes.apiKey,
    E2B_API_URL: holdfast.sandboxes.apiUrl,
    E2B_SANDBOX_URL: holdfast.sandboxes.sandboxUrl,
  })

  test('says in one line that it is ready, answers for its health, and drains at SIGTERM', async () => {
    const env = { ...settings(), HOLDFAST_HEALTH_HOST: '127.0.0.2', HOLDFAST_HEALTH_PORT: '0' }
    const worker = startProgram(['worker', '--json'], env)
    const [line] = await worker.until('stdout', /^.+$/m)
    const ready = JSON.parse(line) as { healthPort: number }
    expect(ready).toEqual({
      taskQueue: env.HOLDFAST_TASK_QUEUE,
      namespace: 'default',
      healthPort: expect.any(Number),
    })
    const url = `http://127.0.0.2:${ready.healthPort}`
    await expect(fetch(`http://127.0.0.1:${ready.healthPort}/health`)).rejects.toThrow('fetch failed')
    const health = await fetch(`${url}/health`)
    expect(health.status).toBe(200)
    expect(await health.json()).toMatchObject({ state: 'RUNNING', taskQueue: env.HOLDFAST_TASK_QUEUE })
    expect((await fetch(`${url}/other`)).status).toBe(404)

    worker.send('SIGTERM')
    const { code, stdout, stderr } = await worker.ended
    expect(code, stderr).toBe(0)
    expect(stdout).toBe(`${line}\n`)
    await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed')
  })

  test.each([
    ['E2B_API_KEY', { E2B_API_KEY: '' }, /E2B_API_KEY .*is missing: set E2B_API_KEY, or run/],
    ['HOLDFAST_HEALTH_PORT', { HOLDFAST_HEALTH_PORT: '70000' }, /HOLDFAST_HEALTH_PORT .*65535/],
    [
      'HOLDFAST_HEALTH_HOST',
      { HOLDFAST_HEALTH_HOST: '192.0.2.1', HOLDFAST_HEALTH_PORT: '0' },
      /HOLDFAST_HEALTH_HOST: nothing can listen/,
    ],
  ])('with a wrong %s it ends with 2, naming it and its remedy', async (_name, wrong, words) => {
    const { code, stdout, stderr } = await startProgram(['worker'], { ...settings(), ...wrong }).ended
    expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(words)
    expect(stderr).toMatch(/^remedy: correct the named settings and start again$/m)
  })

  test('where no Temporal server answers it ends with 5 and says so', async () => {
    const address = `127.0.0.1:${await steadyPort()}`
    const env = { ...settings(), TEMPORAL_ADDRESS: address }
    const { code, stdout } = await startProgram(['worker', '--json'], env).ended
    expect(code).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        type: 'ServerUnreachable',
        message: expect.stringContaining(address),
        remedy: expect.stringContaining('TEMPORAL_ADDRESS'),
      },
    })
  })
})
