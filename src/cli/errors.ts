import type { HoldfastError } from '../client/errors.ts'
import { FAILURES } from '../contract/failures.ts'
import type { FieldProblem } from '../contract/parse.ts'
import type { StackError } from '../stack/errors.ts'
import type { CliFailureType } from './exit-codes.ts'
import { cleanLine, cleanLines } from './progress/text.ts'
import type { Colors } from './terminal.ts'

/** A wrong field, and where it stands. `line` and `column` count from 1. */
export interface LocatedProblem extends FieldProblem {
  file: string
  line?: number
  column?: number
}

/** What a person or a program is told of an error: also what `--json` prints. */
export interface ErrorReport {
  type: CliFailureType
  message: string
  remedy: string
  problems?: (FieldProblem | LocatedProblem)[]
  /** The output of the command that failed the job. */
  output?: string
  keptSandboxId?: string
}

/** An error that the command line finds by itself. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly report: ErrorReport

  constructor(
    type: CliFailureType,
    message: string,
    options: { remedy: string; problems?: LocatedProblem[]; cause?: unknown },
  ) {
    super(message, { cause: options.cause })
    const { remedy, problems } = options
    this.report = { type, message, remedy, ...(problems && { problems }) }
  }
}

/**
 * The report of anything thrown. What nobody foresaw is a defect of Holdfast, and says so. Errors are told by name:
 * importing the client for an `instanceof` would double the time of `holdfast --help`.
 */
export function reportError(error: unknown): ErrorReport {
  if (error instanceof CliError) return error.report
  if (!(error instanceof Error)) return defect(String(error))
  if (error.name === 'HoldfastError') return reportOfHoldfast(error as HoldfastError)
  if (error.name === 'ConfigError')
    return { type: 'Usage', message: error.message, remedy: 'correct the named settings and start again' }
  if (error.name === 'StackError')
    return { type: 'StackFailed', message: error.message, remedy: (error as StackError).remedy }
  if (error.name === 'TransportError')
    return {
      type: 'ServerUnreachable',
      message: `no Temporal server answers the worker: ${error.message}`,
      remedy: FAILURES.ServerUnreachable.remedy,
    }
  if (error.name === 'NamespaceNotFoundError')
    return {
      type: 'Usage',
      message: error.message,
      remedy: 'name one that exists by --namespace or TEMPORAL_NAMESPACE',
    }
  return defect(`${error.name}: ${error.message}`)
}

function reportOfHoldfast({ type, message, remedy, problems, report }: HoldfastError): ErrorReport {
  return {
    type,
    message: problems.length > 0 ? countProblems(problems.length) : message,
    remedy,
    ...(problems.length > 0 && { problems }),
    ...(report?.output && { output: report.output }),
    ...(report?.keptSandboxId && { keptSandboxId: report.keptSandboxId }),
  }
}

const defect = (message: string): ErrorReport => ({
  type: 'InternalError',
  message,
  remedy: FAILURES.InternalError.remedy,
})

export const countProblems = (count: number): string => (count === 1 ? '1 problem' : `${count} problems`)

const OUTPUT_LINES = 20

/** The report for people, without a stack. */
export function formatError(report: ErrorReport, colors: Colors): string {
  const { type, message, remedy, problems = [], output, keptSandboxId } = report
  const [first = '', ...more] = cleanLines(message)
  const lines = [
    `${colors.red(colors.bold(type === 'Usage' ? 'error:' : `error ${type}:`))} ${first}`,
    ...more,
  ]
  lines.push(...problemLines(problems, colors))
  if (output)
    lines.push(
      ...cleanLines(output)
        .slice(-OUTPUT_LINES)
        .map((line) => colors.red(`  │ ${line}`)),
    )
  if (keptSandboxId) lines.push(`kept: the sandbox ${keptSandboxId}, paused`)
  lines.push(`${colors.bold('remedy:')} ${remedy}`)
  return lines.join('\n')
}

function problemLines(problems: (FieldProblem | LocatedProblem)[], colors: Colors): string[] {
  const rows = problems.map((problem) => ({ ...problem, where: whereOf(problem) }))
  const width = Math.max(0, ...rows.map(({ where }) => where.length))
  return rows.map(({ where, field, problem }) => {
    const place = where ? `${colors.cyan(where.padEnd(width))}  ` : ''
    return `  ${place}${field ? `${colors.bold(cleanLine(field))}: ` : ''}${cleanLine(problem)}`
  })
}

/** `file:line:column`, as terminals and editors make links of it. */
function whereOf(problem: FieldProblem | LocatedProblem): string {
  if (!('file' in problem)) return ''
  const { file, line, column } = problem
  return [file, line, line && column].filter(Boolean).join(':')
}
