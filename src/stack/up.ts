import { DEFAULT_TASK_QUEUE } from '../contract/job.ts'
import { interruption, untilAborted } from './interrupt.ts'
import { type UpOptions, upSettings } from './settings.ts'
import { type Stack, startStack } from './stack.ts'
import { openState } from './state.ts'

/**
 * Runs the embedded stack, without the demo, until SIGINT, SIGTERM or SIGHUP; a second SIGINT or SIGTERM forces.
 *
 * @param onReady is told once, when everything is up
 * @returns how it ended: `stopped` when it was up, `interrupted` before that
 * @throws StackError where a part can't be started, or can't be kept running
 */
export async function up(
  options: UpOptions,
  onProgress: (line: string) => void,
  onReady: (stack: Stack) => void,
): Promise<'stopped' | 'interrupted'> {
  const signal = interruption(() => onProgress('stopping … (Ctrl-C again forces)'))
  const { state: folder, ...settings } = upSettings(options)
  const state = await openState(folder)
  let stack: Stack | undefined
  try {
    stack = await startStack({ ...settings, state, onProgress, signal })
    onReady(stack)
    const broken = await Promise.race([stack.broken, untilAborted(signal)])
    if (broken) throw broken
    return 'stopped'
  } catch (error) {
    if (!stack && signal.aborted) return 'interrupted'
    throw error
  } finally {
    await stack?.stop()
    await state.release()
  }
}

/** A stack that is up, for people. */
export function describeStack({ temporal, sandboxes, worker, blobStore, logs }: Stack): string {
  const { address, uiUrl, how } = temporal
  const queue = worker.taskQueue === DEFAULT_TASK_QUEUE ? '' : ` --task-queue ${worker.taskQueue}`
  return [
    `Temporal   ${address}  ${how}`,
    `UI         ${uiUrl ?? 'not ours to know'}`,
    `Sandboxes  ${sandboxes.how}`,
    `Worker     task queue ${worker.taskQueue}`,
    `Metrics    ${worker.metricsUrl}`,
    `Traces     ${worker.tracesUrl ?? 'nowhere; OTEL_EXPORTER_OTLP_ENDPOINT names a collector'}`,
    `Logs       ${logs}`,
    `Outputs    HOLDFAST_BLOB_STORE=${blobStore} npx holdfast output ID`,
    `Submit     npx holdfast --address ${address}${queue} submit examples/bump.yaml`,
    'Ctrl-C stops everything; jobs go on at the next start.',
  ].join('\n')
}
