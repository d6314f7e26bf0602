import pc from 'picocolors'
import type { CommandHeartbeat, JobEvent, Phase } from '../contract/job.ts'
import { failureBox, reviewBox } from './progress/boxes.ts'
import { linesOfAgent } from './progress/agent-lines.ts'
import * as lines from './progress/event-lines.ts'
import { OutputTail } from './progress/output-tail.ts'
import { cleanLine } from './progress/text.ts'

export interface ProgressOptions {
  /** Gets each line, without its newline. */
  write: (line: string) => void
  color: boolean
  jobId: string
  /** How this command line is called, for the commands that answer a review; `holdfast` by default. */
  program?: string
  /** Events before this `seq` are taken in, for what comes later, but not shown. */
  from?: number
  /** The time, in ms since the epoch. */
  now?: () => number
}

/** Shows a job to a person, line by line. */
export interface Progress {
  event(event: JobEvent): void
  /** Shows what is new of the running command's output; ignored while no command runs. */
  output(beat: CommandHeartbeat): void
  /** Says something that isn't of the job. */
  notice(text: string): void
  /** Whether the job's failure has been shown. */
  readonly failureShown: boolean
}

const MAX_HEARD = 64 * 1024

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

/** The one renderer of a job's events for people: of `holdfast watch` and of the demo. */
export function createProgress(options: ProgressOptions): Progress {
  const { write, jobId, program = 'holdfast', from = 0, now = Date.now } = options
  const colors = pc.createColors(options.color)
  let startedAt: number | undefined
  let phase: { name: Phase; at: number } | undefined
  let pausedAt: number | undefined
  let tail: OutputTail | undefined
  /** Of the agent whose turn it is: what a line of its output tells a person. */
  let agentLines: ((line: string) => string[]) | undefined
  /** What was told of it, as one line. */
  let heardOfAgent = ''
  let end: lines.End = 'ok'
  let failureShown = false

  return {
    event(event) {
      const text = linesOf(event)
      if (event.seq < from) return
      failureShown ||= event.type === 'failed'
      text.forEach(write)
    },
    output(beat) {
      const printed = tail?.push(beat) ?? []
      const told = agentLines ? printed.flatMap(agentLines) : printed
      heardOfAgent = `${heardOfAgent} ${oneLine(told.join(' '))}`.slice(-MAX_HEARD)
      told.forEach((line) => write(lines.outputLine(line, colors)))
    },
    notice(text) {
      write(colors.yellow(`! ${cleanLine(text)}`))
    },
    get failureShown() {
      return failureShown
    },
  }

  function linesOf(event: JobEvent): string[] {
    if (event.seq === 0) startedAt = event.at
    switch (event.type) {
      case 'phase':
        return enter(event)
      case 'sandboxCreated':
      case 'sandboxKilled':
      case 'sandboxKept':
        return [lines.sandboxLine(event, undefined, colors)]
      case 'sandboxPaused':
        pausedAt = event.at
        return [lines.sandboxLine(event, undefined, colors)]
      case 'sandboxResumed': {
        // The resume itself is no longer a pause.
        const pausedMs = pausedAt === undefined ? undefined : event.at - event.ms - pausedAt
        return [lines.sandboxLine(event, pausedMs, colors)]
      }
      case 'resumeVerified':
        return [ok(`verified: the files and HEAD ${lines.shortCommit(event.head)} are as before the pause`)]
      case 'waitBegan':
        return [lines.waitBegins(event, colors)]
      case 'waitEnded':
      case 'checkpointed':
        return []
      case 'sandboxLost':
        return [lines.mark('cancelled', colors, `  ! sandbox lost: ${cleanLine(event.failure.message)}`)]
      case 'sandboxRestored':
        return [ok(`the work is restored in sandbox ${cleanLine(event.sandboxId)}`)]
      case 'outage':
        return [lines.outage(event, colors)]
      case 'outageOver':
        return [ok('it goes on')]
      case 'stepStarted':
        tail = isCommand(event.kind) ? new OutputTail() : undefined
        agentLines = event.kind === 'agent' ? linesOfAgent(event.agent) : undefined
        heardOfAgent = ''
        return tail || event.kind === 'llm' ? [lines.stepBegins(event, colors)] : []
      case 'stepFinished':
        return finishStep(event)
      case 'agentTurn':
        return lines.agentTurn({ ...event, last: event.last.filter(isNews) }, colors)
      case 'toolUsed':
        return [lines.outputLine(cleanLine(event.summary), colors)]
      case 'toolAnswered':
        return [ok(`${event.by}: ${event.allowed ? 'allowed' : 'not allowed'}: ${cleanLine(event.summary)}`)]
      case 'modelTurn':
        return [lines.outputLine(cleanLine(event.message), colors)]
      case 'conversationLost':
        return [
          lines.mark(
            'cancelled',
            colors,
            `  ! ${cleanLine(event.name)}: its conversation was lost (${cleanLine(event.why)}), it starts from the work so far`,
          ),
        ]
      case 'fixing':
        return [
          lines.mark(
            'cancelled',
            colors,
            `  ! ${cleanLine(event.check)} is red: the agent mends it (${event.attempt})`,
          ),
        ]
      case 'guardsBreached':
        return event.breaches.map(({ guard, message }) =>
          lines.mark('cancelled', colors, `  ! beyond its guards, ${guard}: ${cleanLine(message)}`),
        )
      case 'reviewRequested':
        return reviewBox(event, { jobId, program, now: now(), colors })
      case 'reviewRefused':
        return [lines.mark('cancelled', colors, `  ! an answer was refused: ${cleanLine(event.why)}`)]
      case 'reviewAnswered':
        return [lines.reviewAnswer(event, colors)]
      case 'committed':
        return [ok(`commit ${lines.shortCommit(event.commit)}`)]
      case 'pushed':
        return [ok(`${cleanLine(event.branch)} on the remote is now ${lines.shortCommit(event.remoteHead)}`)]
      case 'failed':
        return [...close('failed', event.at), ...failureBox(event.failure, colors)]
      case 'cleanUpFailed':
        return failureBox(event.failure, colors)
      case 'cancelled':
        return close('cancelled', event.at)
    }
  }

  /** What an agent did last may have come too late to be heard. */
  function isNews(did: string): boolean {
    return !heardOfAgent.includes(oneLine(cleanLine(did.replace(/^error: /, ''))))
  }

  function enter({ phase: name, at }: JobEvent & { type: 'phase' }): string[] {
    const closing = leave('ok', at)
    if (name === 'done')
      return [...closing, lines.jobEnds(end, startedAt === undefined ? undefined : at - startedAt, colors)]
    phase = { name, at }
    return [...closing, lines.phaseBegins(name, colors)]
  }

  function leave(how: lines.End, at: number): string[] {
    if (!phase) return []
    const text = lines.phaseEnds(phase.name, how, at - phase.at, colors)
    phase = undefined
    tail = undefined
    return [text]
  }

  function close(how: lines.End, at: number): string[] {
    end = how
    return leave(how, at)
  }

  function finishStep(event: JobEvent & { type: 'stepFinished' }): string[] {
    // A failed command's output comes with the job's failure.
    const rest = event.exitCode === 0 && !agentLines ? (tail?.finish(event.output) ?? []) : []
    tail = undefined
    return [...rest.map((line) => lines.outputLine(line, colors)), lines.stepEnds(event, colors)]
  }

  function ok(text: string): string {
    return lines.mark('ok', colors, `  ✔ ${text}`)
  }
}

/** Whether a step is a command of the caller's or an agent, whose output is worth following. */
export const isCommand = (kind: (JobEvent & { type: 'stepStarted' })['kind']): boolean =>
  kind === 'run' || kind === 'check' || kind === 'agent'
