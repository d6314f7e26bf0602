import { DEFAULT_TASK_QUEUE } from '../contract/job.ts'
import { interruption, untilAborted } from './interrupt.ts'
import { startStack } from './stack.ts'

/** Runs the embedded stack, without the demo, until Ctrl-C. */
export async function up(options: { json: boolean; taskQueue?: string }): Promise<void> {
  const taskQueue = options.taskQueue ?? DEFAULT_TASK_QUEUE
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`)
  const signal = interruption(() => onProgress('stopping …'))
  const stack = await startStack({
    signal,
    state: process.env.HOLDFAST_STATE ?? '.holdfast',
    env: process.env,
    taskQueue,
    onProgress,
  })
  try {
    if (options.json)
      process.stdout.write(
        `${JSON.stringify({ ...stack.temporal, taskQueue, sandboxes: stack.sandboxes })}\n`,
      )
    else
      process.stdout.write(
        [
          `Temporal   ${stack.temporal.address}  ${stack.temporal.how}`,
          `UI         ${stack.temporal.uiUrl ?? 'not ours to know'}`,
          `Sandboxes  ${stack.sandboxes.how}`,
          `Worker     task queue ${taskQueue}`,
          `Submit     TEMPORAL_ADDRESS=${stack.temporal.address} npx holdfast submit examples/bump.yaml`,
          'Ctrl-C stops everything; jobs go on at the next start.',
          '',
        ].join('\n'),
      )
    await untilAborted(signal)
  } finally {
    await stack.stop()
  }
}
