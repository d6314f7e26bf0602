import { InvalidArgumentError } from '@commander-js/extra-typings'
import type { OutputPlace } from '../../contract/output.ts'
import { onInterrupt, untilAborted } from '../abort.ts'
import { type Program, examples } from '../base-program.ts'
import { programOf, withJobs } from '../context.ts'
import { CliError } from '../errors.ts'
import { EXIT } from '../exit-codes.ts'
import { wholeNumber } from '../numbers.ts'
import { print, printNote } from '../terminal.ts'

export function addOutput(program: Program): void {
  program
    .command('output')
    .description(
      "all that a job's step prints, live and afterwards, as the workers keep it (HOLDFAST_BLOB_STORE)",
    )
    .argument('<id>', "the job's id")
    .option('--step <number>', 'as status --json counts; the one that runs, or the last', wholeNumber)
    .option('--from <place>', 'go on there; Ctrl-C says where you were', outputPlace)
    .addHelpText(
      'after',
      examples(
        'holdfast output bump-deps',
        'holdfast output bump-deps --step 2 >test.log 2>test.err',
        'holdfast output bump-deps --json | jq -r .text',
      ),
    )
    .action(async (id, options, command) => {
      const globals = command.optsWithGlobals()
      const interrupt = onInterrupt(EXIT.interrupted)
      let { step, from } = options
      try {
        await withJobs(globals, async (jobs) => {
          const { signal } = interrupt
          const wanted = { signal, ...(from && { from }), ...(step !== undefined && { step }) }
          for await (const chunk of untilAborted(jobs.get(id).output(wanted), signal)) {
            if (globals.json) print(JSON.stringify(chunk))
            else {
              if (chunk.missedBytes > 0) printNote(`… (${chunk.missedBytes} bytes are not kept) …`)
              process[chunk.stream].write(chunk.text)
            }
            step = chunk.step
            from = chunk.next
          }
        })
      } finally {
        interrupt.release()
      }
      if (interrupt.signal.aborted) throw interrupted(programOf(globals), id, step, from)
    })
}

const words = ({ sandbox, stdout, stderr }: OutputPlace): string => [sandbox, stdout, stderr].join(':')

/** @throws InvalidArgumentError */
function outputPlace(text: string): OutputPlace {
  const [, sandbox, stdout, stderr] = /^(\d+):(\d+):(\d+)$/.exec(text)?.map(Number) ?? []
  if (stderr === undefined)
    throw new InvalidArgumentError('Give a place as Ctrl-C shows it, such as 1:2048:0.')
  return { sandbox: sandbox!, stdout: stdout!, stderr }
}

function interrupted(program: string, id: string, step: number | undefined, place: OutputPlace | undefined) {
  const options = [
    ...(step === undefined ? [] : [`--step ${step}`]),
    ...(place === undefined ? [] : [`--from ${words(place)}`]),
  ]
  return new CliError('Interrupted', 'stopped reading; the job goes on', {
    remedy: `go on with: ${[program, 'output', id, ...options].join(' ')}`,
  })
}
