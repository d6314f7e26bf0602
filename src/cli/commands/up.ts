import { type Program, examples } from '../base-program.ts'
import { answer, refuseOptions } from '../context.ts'
import { EXIT } from '../exit-codes.ts'
import { portNumber } from '../numbers.ts'
import { printNote } from '../terminal.ts'

export function addUp(program: Program): void {
  program
    .command('up')
    .description('run the whole stack on this machine: Temporal, a local sandbox server, a worker')
    .option('--state <folder>', 'keeps everything (default: HOLDFAST_STATE, or .holdfast)')
    .option('--port <number>', "of Temporal's frontend, where it is free (default: 7233)", portNumber)
    .option('--ui-port <number>', "of Temporal's UI, where it is free (default: 8233)", portNumber)
    .option(
      '--allow-host-port <number>',
      "let sandboxes reach this port of this machine, such as a git host's; repeatable",
      (text: string, earlier: number[] | undefined) => [...(earlier ?? []), portNumber(text)],
    )
    .addHelpText(
      'after',
      examples(
        'holdfast up',
        'holdfast up --state ~/holdfast --port 7300 --ui-port 8300',
        'holdfast up --allow-host-port 3000      # a git host on this machine',
        'holdfast up --json                      # one line when everything is up: address, UI, processes',
      ),
    )
    .action(async ({ state, port, uiPort, allowHostPort }, command) => {
      const globals = command.optsWithGlobals()
      refuseOptions(globals, 'up', ['address', 'namespace'])
      const { describeStack, up } = await import('../../stack/up.ts')
      const { taskQueue } = globals
      const options = { state, port, uiPort, taskQueue, allowHostPorts: allowHostPort }
      const end = await up(options, printNote, (stack) => {
        const { temporal, sandboxes, worker, blobStore, logs } = stack
        answer(globals, { temporal, sandboxes, worker, blobStore, logs }, () => describeStack(stack))
      })
      if (end === 'interrupted') process.exitCode = EXIT.interrupted
    })
}
