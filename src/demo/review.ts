import { createInterface } from 'node:readline/promises'
import pc from 'picocolors'
import { formatError, reportError } from '../cli/errors.ts'
import { colorsFor } from '../cli/terminal.ts'
import { type AgentJobInput, HoldfastError, type Job } from '../index.ts'

export interface ReviewOptions {
  yes: boolean
  /** What is done about a request for changes; left out where an agent reads it. */
  secondEdit: AgentJobInput['steps'] | undefined
  uiUrl: string | undefined
  /** How the command line is called. */
  program: string
  write: (line: string) => void
  signal: AbortSignal
}

const by = 'npm start'

/** Shows the work and gets an answer to it: from `--yes`, from the person at the terminal, or from elsewhere. */
export async function review(job: Job, options: ReviewOptions): Promise<void> {
  if ((await job.status()).waitingFor === null) return
  const { write } = options
  const diff = await job.diff()
  for (const line of (diff?.text ?? '').trimEnd().split('\n')) write(`    ${coloured(line)}`)
  write('')
  if (options.uiUrl) write(`  In the Temporal UI: ${options.uiUrl}`)
  try {
    if (options.yes) return await job.approve({ by: `${by} --yes` })
    if (!process.stdin.isTTY) {
      write(`  Waits for your answer: ${options.program} approve ${job.id}`)
      return
    }
    await ask(job, options)
  } catch (error) {
    // Somebody answered in the meantime, in the UI or by the command line: as good.
    if (!(error instanceof HoldfastError && error.type === 'NotWaitingForReview')) throw error
    write('  Answered elsewhere.')
  }
}

async function ask(job: Job, { signal, write, secondEdit: steps }: ReviewOptions): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // readline takes Ctrl-C for itself while it asks: hand it on.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    for (;;) {
      const answer = (
        await terminal.question('\n  Approve? [y]es, [n]o, or write what to change: ', { signal })
      ).trim()
      try {
        if (/^y(es)?$/i.test(answer)) return await job.approve({ by })
        if (/^no?$/i.test(answer)) return await job.reject({ by })
        if (answer.length > 3) {
          await job.requestChanges({ by, feedback: answer, ...(steps && { steps }) })
          return write(
            steps
              ? '  Your words go to the sandbox; no agent runs here, so a scripted second edit adds a test.'
              : '  Your words go to the agent, in the same conversation.',
          )
        }
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.type === 'NotWaitingForReview') throw error
        write(formatError(reportError(error), colorsFor(process.stderr)))
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    terminal.close()
  }
}

function coloured(line: string): string {
  if (/^(\+\+\+|---|diff|index)/.test(line)) return pc.bold(line)
  if (line.startsWith('+')) return pc.green(line)
  if (line.startsWith('-')) return pc.red(line)
  return line.startsWith('@@') ? pc.cyan(line) : line
}
