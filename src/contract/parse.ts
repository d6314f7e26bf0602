import type { z } from 'zod'

/** One thing that is wrong with an input: the field's path, and what to do. */
export interface FieldProblem {
  field: string
  problem: string
}

export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: FieldProblem[] }

/** Of more nobody reads; and they are to fit into an error, whatever was sent. */
const MAX_PROBLEMS = 100
const MAX_FIELD = 200

/** Parses with a schema; every problem, of at most 100, names its field by path (`steps[0].run`). Never throws. */
export function parse<S extends z.ZodType>(schema: S, input: unknown): Parsed<z.output<S>> {
  const result = schema.safeParse(input)
  if (result.success) return { ok: true, value: result.data }
  const problems = result.error.issues.slice(0, MAX_PROBLEMS).flatMap((issue) => problemsOf(issue))
  return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) }
}

/** The problems, one a line, for people. */
export const describeProblems = (problems: FieldProblem[]): string =>
  problems.map(({ field, problem }) => `${field || '(the whole)'}: ${problem}`).join('\n')

function problemsOf(issue: z.core.$ZodIssue, base: PropertyKey[] = []): FieldProblem[] {
  const path = [...base, ...issue.path]
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // Of a step's kinds the one meant is the one that fits best; its problems are the ones that help.
    const best = issue.errors.toSorted((a, b) => weight(a) - weight(b))[0] ?? []
    return best.flatMap((inner) => problemsOf(inner, path))
  }
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ field: pathText([...path, key]), problem: 'is not a field here' }))
  return [{ field: pathText(path), problem: isMissing(issue) ? 'is missing' : issue.message }]
}

/** A missing required key counts for more than any flaw inside: a branch lacking its own key isn't the one meant. */
const weight = (issues: z.core.$ZodIssue[]): number =>
  issues.reduce((sum, issue) => sum + (isMissing(issue) ? 10 : 1), 0)

const isMissing = (issue: z.core.$ZodIssue): boolean =>
  issue.code === 'invalid_type' && issue.message.endsWith('received undefined')

const pathText = (path: PropertyKey[]): string => {
  const text = path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part),
    '',
  )
  return text.length > MAX_FIELD ? `${text.slice(0, MAX_FIELD)} …` : text
}
