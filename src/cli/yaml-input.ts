import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml'
import type { z } from 'zod'
import { type FieldProblem, parse } from '../contract/parse.ts'
import { CliError, countProblems, type LocatedProblem } from './errors.ts'
import { positionOf } from './yaml-position.ts'

/** A YAML text that could be read, and where its fields stand. */
export interface YamlInput {
  value: unknown
  /** Each problem with the file and, where the field or its parent is in the text, its position. */
  locate(problems: FieldProblem[]): LocatedProblem[]
}

const YAML_REMEDY = 'correct the YAML at the places named'

/**
 * Reads a YAML text (JSON is YAML too). A key given twice, a second document and an unknown tag are errors.
 *
 * @param file the name for messages
 * @throws CliError `InvalidSpec` with the position of each problem
 */
export function parseYaml(text: string, file: string): YamlInput {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const broken = [...document.errors, ...document.warnings]
  if (broken.length > 0)
    throw invalid(
      `${file} is not valid YAML`,
      broken.map((error) => {
        const { line, col } = lines.linePos(error.pos[0])
        return { file, field: '', problem: wordsOf(error), line, column: col }
      }),
      YAML_REMEDY,
    )
  if (document.contents === null)
    throw invalid(`${file} is empty`, [], 'write a spec in it, such as examples/bump.yaml')
  return {
    value: valueOf(document, file),
    locate: (problems) =>
      problems
        .map((problem) => ({ file, ...problem, ...positionOf(document, lines, problem.field) }))
        .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)),
  }
}

/**
 * Checks the input against a schema.
 *
 * @throws CliError `InvalidSpec` naming every wrong field with its line
 */
export function checkYaml<S extends z.ZodType>(schema: S, input: YamlInput, file: string): z.output<S> {
  const parsed = parse(schema, input.value)
  if (parsed.ok) return parsed.value
  throw invalidFields(file, input.locate(parsed.problems))
}

export const invalidFields = (file: string, problems: LocatedProblem[]): CliError =>
  invalid(
    `${file} has ${countProblems(problems.length)}`,
    problems,
    'correct the named fields; `holdfast schema` prints the JSON Schema for your editor',
  )

function valueOf(document: Document, file: string): unknown {
  try {
    return document.toJS()
  } catch (error) {
    // Aliases that resolve to too much (a "billion laughs") or to nothing.
    const problem = { file, field: '', problem: (error as Error).message }
    throw invalid(`${file} is not valid YAML`, [problem], YAML_REMEDY)
  }
}

/** The parser's words, where they say what to do about it; ours otherwise. */
function wordsOf({ code, message }: YAMLError): string {
  if (code === 'DUPLICATE_KEY') return 'this key is given twice'
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here; a file holds one'
  return message
}

const invalid = (message: string, problems: LocatedProblem[], remedy: string): CliError =>
  new CliError('InvalidSpec', message, { remedy, problems })
