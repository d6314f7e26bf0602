import { Command, InvalidArgumentError } from '@commander-js/extra-typings'
import { interruption } from '../../src/stack/interrupt.ts'
import { chaos } from './chaos.ts'

const wholeNumber = (text: string): number => {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('is no whole number')
  return number
}

const options = new Command('chaos')
  .description(
    'Runs jobs while everything they depend on fails, and judges what is left. Exit 0: every promise was kept.',
  )
  .option('--jobs <n>', 'how many jobs', wholeNumber, 20)
  .option('--faults <n>', 'how many faults', wholeNumber, 40)
  .option('--seed <n>', 'decides jobs and faults; a failing one can be run again', wholeNumber, 1)
  .option('--parallel <n>', 'jobs at once', wholeNumber, 8)
  .option('--turn-after <n>', 'events after which a job goes on in a next run of its workflow', wholeNumber)
  .option('--keep-histories <folder>', "where to keep histories that don't replay, or of jobs with a problem")
  .option('--json', 'only the last line, on stdout')
  .parse()
  .opts()

const write = (line: string): void => void process.stderr.write(`${line}\n`)
const signal = interruption(() => write('ending what was started; once more to end at once'))
try {
  const { kept } = await chaos({
    ...options,
    signal,
    onProgress: options.json ? () => undefined : write,
    onVerdict: ({ problems, ...line }) => {
      for (const problem of problems) write(problem)
      process.stdout.write(`${JSON.stringify(line)}\n`)
    },
  })
  process.exit(kept ? 0 : 1)
} catch (error) {
  if (signal.aborted) process.exit(130)
  throw error
}
