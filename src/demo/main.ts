import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { programOf } from '../cli/context.ts'
import { formatError, reportError } from '../cli/errors.ts'
import { followJob } from '../cli/follow.ts'
import { createProgress } from '../cli/progress.ts'
import { exitCodeOfFailure, exitCodeOfOutcome } from '../cli/exit-codes.ts'
import { colorsFor, print } from '../cli/terminal.ts'
import { connect, HoldfastError, type Job, type JobEvent } from '../index.ts'
import { StackError } from '../stack/errors.ts'
import { interruption, untilAborted } from '../stack/interrupt.ts'
import { type Stack, startStack } from '../stack/stack.ts'
import { openState, type StateFolder } from '../stack/state.ts'
import { type GitHost, startGitHost } from './git-host/index.ts'
import { currentNumber, demoSpec, secondEdit } from './job.ts'
import { type Model, startModel } from './model.ts'
import { parseOptions } from './options.ts'
import { createDemoRepository } from './repository.ts'
import { review } from './review.ts'
import { readStore, writeStore } from './store.ts'
import { report } from './report.ts'

const TASK_QUEUE = 'holdfast-demo'
const REPOSITORY = 'tidy-duration'

const options = parseOptions(process.argv)
const write = (line: string): void => void process.stderr.write(`${line}\n`)
const interrupted = interruption(() =>
  write('\n  Stopping. `npm start` carries the same job on. (Ctrl-C again forces.)'),
)

const exitCode = await main().catch((error: unknown) => {
  if (interrupted.aborted) return 130
  const failure = reportError(error)
  write(formatError(failure, colorsFor(process.stderr)))
  if (options.json) print(JSON.stringify({ error: failure }))
  return exitCodeOfFailure(failure.type)
})
// What a start that was given up left running in this process must not keep it.
process.stdout.write('', () => process.exit(exitCode))

/** The main job, from nothing to the pushed branch. Returns the exit code. */
async function main(): Promise<number> {
  // First of all: whoever else has the folder has its ports, too.
  const state = await openState(process.env.HOLDFAST_STATE || '.holdfast')
  try {
    return await runOn(state)
  } finally {
    await state.release()
  }
}

async function runOn(state: StateFolder): Promise<number> {
  const storeFile = join(state.path, 'demo.json')
  const store = await readStore(storeFile)
  write('  Starting Temporal, sandboxes and a worker …')
  const git = await startRemote(state.path, store)
  const model = options.agent
    ? await onItsPort("the demo's model", startModel(process.env, store.modelPort))
    : undefined
  let stack: Stack | undefined
  try {
    await writeStore(storeFile, { ...store, gitPort: git.port, ...(model && { modelPort: model.port }) })
    stack = await startStack({
      state,
      env: process.env,
      taskQueue: TASK_QUEUE,
      allowHostPorts: [git.port, model?.port ?? 0].filter((port) => port > 0),
      secrets: { GIT_TOKEN: git.token, ...(model && { MODEL_KEY: model.key }) },
      onProgress: (line) => write(`  ${line}`),
      signal: interrupted,
    })
    write(`  Temporal   ${stack.temporal.how}`)
    write(`  Sandboxes  ${stack.sandboxes.how}`)
    write(`  Git        ${git.url}`)
    if (model) write(`  Model      ${model.how}`)
    if (interrupted.aborted) return 130
    const broken = stack.broken.then((error) => Promise.reject(error))
    return await Promise.race([runJob(stack, git, model, { state: state.path, storeFile }), broken])
  } finally {
    await stack?.stop()
    await git.host?.stop()
    await model?.stop()
  }
}

interface Remote {
  url: string
  token: string
  port: number
  host: GitHost | undefined
}

/** The demo's own git host, or the repository that the environment names. */
async function startRemote(state: string, store: { token: string; gitPort: number }): Promise<Remote> {
  const named = process.env.HOLDFAST_DEMO_REPO
  if (named)
    return { url: named, token: process.env.HOLDFAST_SECRET_GIT_TOKEN ?? '', port: 0, host: undefined }
  if (process.env.E2B_API_KEY && !process.env.E2B_API_URL)
    throw new StackError(
      'E2B_API_KEY is set, so the sandbox runs in the E2B cloud, which cannot reach a git host on this machine',
      {
        remedy:
          'name a repository by HOLDFAST_DEMO_REPO and its token by HOLDFAST_SECRET_GIT_TOKEN, or unset E2B_API_KEY',
      },
    )
  const root = join(state, 'git')
  await createDemoRepository({ root, name: REPOSITORY })
  const starting = startGitHost({ root, token: store.token, ...(store.gitPort && { port: store.gitPort }) })
  const host = await onItsPort("the demo's git host", starting)
  return { url: host.repoUrl(REPOSITORY), token: store.token, port: host.port, host }
}

/** Its port stands in the job's spec, so no other one will do. */
async function onItsPort<T>(name: string, starting: Promise<T>): Promise<T> {
  try {
    return await starting
  } catch (error) {
    const { code, port } = error as NodeJS.ErrnoException & { port?: number }
    if (code !== 'EADDRINUSE') throw error
    throw new StackError(`${name} needs its port ${port} again, which another program has taken`, {
      remedy: 'end that program, or begin anew in another folder, named by HOLDFAST_STATE',
      cause: error,
    })
  }
}

async function runJob(
  stack: Stack,
  git: Remote,
  model: Model | undefined,
  { state, storeFile }: { state: string; storeFile: string },
): Promise<number> {
  const jobs = await connect({ ...stack.temporal, taskQueue: TASK_QUEUE })
  try {
    const store = await readStore(storeFile)
    const folder = createHash('sha256').update(state).digest('hex').slice(0, 6)
    const specOf = (number: number) => demoSpec({ number, url: git.url, folder, model })
    const { number, carriedOn } = await currentNumber(jobs, store.job, (number) => specOf(number).id)
    await writeStore(storeFile, { ...store, job: number })
    const job = await jobs.submit(specOf(number))
    const uiUrl =
      stack.temporal.uiUrl &&
      `${stack.temporal.uiUrl}/namespaces/${stack.temporal.namespace}/workflows/${job.id}/${job.runId}`
    write(`  Job        ${job.id}${carriedOn ? ' (carried on)' : ''}`)
    write(`  Watch      ${uiUrl ?? 'in your Temporal UI'}`)
    write('')
    await follow(job, uiUrl, programFor(stack))
    if (interrupted.aborted) return 130
    const outcome = await job.result().then(
      (result) => ({ result }),
      (error: unknown) => ({ error: HoldfastError.from(error) as HoldfastError }),
    )
    await report({ job, outcome, git, uiUrl, json: options.json, write })
    if (!options.exit) {
      write('  Everything stays up for you to look at. Ctrl-C ends it.')
      await untilAborted(interrupted)
    }
    return 'result' in outcome
      ? exitCodeOfOutcome(outcome.result.outcome)
      : exitCodeOfFailure(outcome.error.type)
  } finally {
    await jobs.close()
  }
}

/** How a person calls the command line for that stack's jobs. */
function programFor({ temporal: { address, namespace } }: Stack): string {
  return `npx ${programOf({ address, namespace: namespace === 'default' ? undefined : namespace })}`
}

/** Shows what happens, and gets the review's answer when one is asked for. */
async function follow(job: Job, uiUrl: string | undefined, program: string): Promise<void> {
  const progress = createProgress({
    program,
    jobId: job.id,
    write,
    color: process.stderr.isTTY && !process.env.NO_COLOR,
  })
  const done = new AbortController()
  const signal = AbortSignal.any([interrupted, done.signal])
  let reviewing: Promise<void> = Promise.resolve()
  let fail: (error: unknown) => void
  const failed = new Promise<never>((_, reject) => (fail = reject))
  const event = (event: JobEvent): void => {
    progress.event(event)
    if (event.type !== 'reviewRequested') return
    reviewing = reviewing.then(() =>
      review(job, {
        yes: options.yes,
        secondEdit: options.agent ? undefined : secondEdit,
        uiUrl,
        program,
        write,
        signal,
      }),
    )
    reviewing.catch(fail)
  }
  try {
    // A job whose review can't be asked for waits for days.
    await Promise.race([followJob(job, { ...progress, event }, { signal }), failed])
  } finally {
    done.abort()
  }
  await reviewing
}
