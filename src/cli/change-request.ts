import type { ChangeRequestInput } from '../contract/spec.ts'
import { fileLabel, readText } from './read-file.ts'

/**
 * A reviewer's request for changes, its steps from a file: a YAML list, or a mapping with `steps`.
 *
 * @throws CliError `InvalidSpec` naming every wrong field, with its line in the file
 */
export async function readChangeRequest(given: {
  by: string
  feedback: string
  stepsFile?: string
}): Promise<ChangeRequestInput> {
  const [{ invalidFields, parseYaml }, { changeRequest }, { parse }] = await Promise.all([
    import('./yaml-input.ts'),
    import('../contract/spec.ts'),
    import('../contract/parse.ts'),
  ])
  const { by, feedback, stepsFile } = given
  const file = stepsFile === undefined ? 'the command line' : fileLabel(stepsFile)
  const input = stepsFile === undefined ? undefined : parseYaml(await readText(stepsFile), file)
  const request = { by, feedback, ...(input && { steps: stepsOf(input.value) }) }
  const parsed = parse(changeRequest, request)
  if (parsed.ok) return parsed.value
  throw invalidFields(
    'the request',
    parsed.problems.map((problem) => {
      if (!input || !problem.field.startsWith('steps')) return { file: 'the command line', ...problem }
      const isList = Array.isArray(input.value)
      const [located] = input.locate([{ ...problem, field: isList ? problem.field.slice(5) : problem.field }])
      return { ...located, ...problem, file }
    }),
  )
}

const stepsOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'steps' in value ? value.steps : value
