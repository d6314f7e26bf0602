import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { CancelledFailure, Context } from '@temporalio/activity'
import { MAX_FILE_BYTES } from '../contract/operations/files.ts'
import type { ParsedInput } from '../contract/operations/inputs.ts'
import type { Artifact, CodeResult, Execution } from '../contract/operations/results.ts'
import { artifactsFolder } from './lib/places.ts'
import { currentCommandId } from './lib/durable-command.ts'
import type { Execution as Executed, Sandbox } from './lib/e2b.ts'
import { failure } from '../contract/failure.ts'
import type { Family, Use } from './lib/operation.ts'
import { type OutputLogs, withOutputLogs } from './lib/output-log.ts'
import { RUNNER_HOME } from './lib/runner.ts'

/** A text in a result is cut after so many characters. */
const MAX_TEXT = 64 * 1024
const IMAGES = ['png', 'jpeg', 'svg', 'pdf'] as const

/** Code in kernels that keep their state, through `@e2b/code-interpreter`. */
export const codeOperations = {
  /**
   * `runCode`. The kernel interrupts what its client has left, so code can't be attached to: a second run returns what the first
   * recorded, or ends as `OutcomeUnknown`. What the code throws is data. A cancellation restarts its kernel.
   */
  'code.run': (use, { live, ...code }) => {
    const name = live ? use.key.key : undefined
    if (name === undefined) return run(use, code)
    return withOutputLogs(use.deps, { name, sandboxNumber: use.target.sandboxNumber }, (logs) =>
      run(use, code, logs),
    )
  },

  /** `createCodeContext`. A second run may leave one more context, unused. */
  'code.createContext': (use, { language, cwd }) =>
    use.sdk((sandbox) =>
      sandbox.createCodeContext({ ...(language && { language: language as 'python' }), ...(cwd && { cwd }) }),
    ),

  /** `listCodeContexts`. Reads only. */
  'code.listContexts': (use) => use.sdk(async (sandbox) => ({ contexts: await sandbox.listCodeContexts() })),

  /** `restartCodeContext`. A second run restarts it again, with nothing to lose. */
  'code.restartContext': (use, { contextId }) => use.sdk((sandbox) => sandbox.restartCodeContext(contextId)),

  /** `removeCodeContext`. A second run finds it gone, which is success. */
  'code.removeContext': (use, { contextId }) =>
    use.sdk(async (sandbox) => {
      const contexts = await sandbox.listCodeContexts()
      if (contexts.some(({ id }) => id === contextId)) await sandbox.removeCodeContext(contextId)
      else if (!use.again)
        throw failure('SandboxInvalidArgument', `contextId: there is no context ${contextId}`)
    }),

  /** A picture from the blob store. Reads only. @throws `BlobMissing`; `TooLarge` above 1 MiB */
  'code.readArtifact': async (use, { key }) => {
    const own = artifactsFolder(use.deps)
    if (!key.startsWith(own))
      throw failure('SandboxInvalidArgument', 'key: is not of an artifact of this workflow')
    const bytes = await buffer(await use.deps.blobs.get(key))
    if (bytes.length > MAX_FILE_BYTES) throw failure('TooLarge', `${key} has ${bytes.length} bytes`)
    return { content: bytes.toString('base64') }
  },
} satisfies Family<'code'>

function run(
  use: Use,
  { code, language, contextId, envs, timeoutMs }: Omit<ParsedInput<'code.run'>, 'live'>,
  logs?: OutputLogs,
): Promise<Execution> {
  return use.sdk(async (sandbox) => {
    const folder = `${RUNNER_HOME}/executions/${currentCommandId(use.key)}`
    const recorded = await begun(sandbox, folder)
    if (recorded) return recorded
    const running = sandbox.runCode(code, {
      ...(contextId ? { context: { id: contextId, language: '', cwd: '' } } : language ? { language } : {}),
      ...(envs && { envs }),
      ...(logs && {
        onStdout: ({ line }) => logs.stdout.push(line),
        onStderr: ({ line }) => logs.stderr.push(line),
      }),
      timeoutMs,
    })
    const executed = await unlessCancelled(running, () => stopKernel(sandbox, { language, contextId }))
    const result = await bounded(use, executed)
    // Of use only where Temporal doesn't get the result from here: it waits for nothing, and its failure fails nothing.
    const { log } = Context.current()
    sandbox.files
      .write(`${folder}/result`, JSON.stringify(result))
      .catch((error: unknown) => log.warn('the result of the code is not recorded', { error }))
    return result
  })
}

/** What it gives, unless the activity is cancelled before: then what it does is stopped first. */
async function unlessCancelled<T>(work: Promise<T>, stop: () => Promise<unknown>): Promise<T> {
  const context = Context.current()
  const { cancellationSignal, log } = context
  const cancelled = new Promise<true>((resolve) => {
    const onAbort = (): void => {
      // A worker that stops lets the code end.
      if (context.cancellationDetails?.cancelRequested) resolve(true)
    }
    if (cancellationSignal.aborted) onAbort()
    else cancellationSignal.addEventListener('abort', onAbort, { once: true })
  })
  if (await Promise.race([work.then(() => false), cancelled])) {
    await stop().catch((error: unknown) => log.warn('the code could not be stopped', { error }))
    throw new CancelledFailure('the code was stopped')
  }
  return work
}

/** E2B has no other way to interrupt code: its kernel loses what it knows. */
async function stopKernel(
  sandbox: Sandbox,
  { language = 'python', contextId }: Pick<ParsedInput<'code.run'>, 'language' | 'contextId'>,
): Promise<void> {
  const contexts = contextId ? [] : await sandbox.listCodeContexts()
  const id = contextId ?? contexts.find((context) => context.language.startsWith(language))?.id
  if (id) await sandbox.restartCodeContext(id)
}

/**
 * Marks that the code begins now: making the folder succeeds once.
 *
 * @throws `OutcomeUnknown` where it began before, and no result was recorded
 */
async function begun(sandbox: Sandbox, folder: string): Promise<Execution | undefined> {
  if (await sandbox.files.makeDir(folder)) return undefined
  if (await sandbox.files.exists(`${folder}/result`))
    return JSON.parse(await sandbox.files.read(`${folder}/result`)) as Execution
  throw failure(
    'OutcomeUnknown',
    'the code began, and its worker died before it ended; the kernel was interrupted',
  )
}

async function bounded(use: Use, { results, logs, error, executionCount }: Executed): Promise<Execution> {
  let truncated = false
  const cut = (text: string): string => {
    truncated ||= text.length > MAX_TEXT
    return use.deps.secrets.redact(text).slice(0, MAX_TEXT)
  }
  const kept: CodeResult[] = []
  for (const [index, result] of results.entries()) {
    const artifacts: Artifact[] = []
    for (const format of IMAGES) {
      const image = result[format]
      if (image) artifacts.push(await saveArtifact(use, `${index}.${format}`, format, image))
    }
    const { text, html, markdown, latex, json, chart } = result
    const small = chart && JSON.stringify(chart).length <= MAX_TEXT
    truncated ||= Boolean(chart) && !small
    kept.push({
      isMainResult: result.isMainResult,
      ...(text !== undefined && { text: cut(text) }),
      ...(html && { html: cut(html) }),
      ...(markdown && { markdown: cut(markdown) }),
      ...(latex && { latex: cut(latex) }),
      ...(json && { json: cut(typeof json === 'string' ? json : JSON.stringify(json)) }),
      ...(small && { chart }),
      artifacts,
    })
  }
  return {
    results: kept,
    stdout: cut(logs.stdout.join('')),
    stderr: cut(logs.stderr.join('')),
    ...(error && { error: { name: error.name, value: cut(error.value), traceback: cut(error.traceback) } }),
    ...(executionCount !== undefined && { executionCount }),
    truncated,
  }
}

/** A second run writes the same key again. */
async function saveArtifact(use: Use, name: string, format: string, content: string): Promise<Artifact> {
  const key = `${artifactsFolder(use.deps)}${currentCommandId(use.key)}/${name}`
  const bytes = Buffer.from(content, format === 'svg' ? 'utf8' : 'base64')
  await use.deps.blobs.put(key, Readable.from([bytes]))
  return { format, key, bytes: bytes.length }
}
