import { readFile } from 'node:fs/promises'
import { LineCounter, parseDocument } from 'yaml'
import { describe, expect, test } from 'vitest'
import { CliError } from '../../src/cli/errors.ts'
import { checkYaml, parseYaml } from '../../src/cli/yaml-input.ts'
import { positionOf } from '../../src/cli/yaml-position.ts'
import { agentJobSpec } from '../../src/contract/spec.ts'

const TEXT = `# a comment
id: x
repo:
  url: https://example.com/a.git
steps:
  - run: one
  - name: two
    run: |
      several
      lines
    envs: &envs { A.B: 1, C: 2 }
  - { run: three, envs: *envs }
`

function position(field: string): string | undefined {
  const lines = new LineCounter()
  const found = positionOf(parseDocument(TEXT, { lineCounter: lines }), lines, field)
  return found && `${found.line}:${found.column}`
}

describe('the place of a field in YAML', () => {
  test.each([
    ['id', '2:1'],
    ['repo.url', '4:3'],
    ['steps', '5:1'],
    ['steps[0]', '6:5'],
    ['steps[0].run', '6:5'],
    ['steps[1].run', '8:5'],
    ['steps[1].envs.C', '11:27'],
    ['steps[1].envs.A.B', '11:19'],
    ['steps[2].run', '12:7'],
    ['steps[2].envs.C', '11:27'],
  ])('%s stands at %s', (field, expected) => expect(position(field)).toBe(expected))

  test.each([
    ['repo.base', '3:1'],
    ['steps[1].timeout', '7:5'],
    ['steps[9].run', '5:1'],
    ['id.deeper', '2:1'],
  ])('%s, which is not there, stands where its parent does: %s', (field, expected) =>
    expect(position(field)).toBe(expected),
  )

  test('a field missing at the top has no place', () => {
    expect(position('branch')).toBeUndefined()
    expect(position('')).toBeUndefined()
  })
})

function problemsOf(work: () => unknown): (string | number | undefined)[][] {
  try {
    work()
  } catch (error) {
    if (!(error instanceof CliError) || error.report.type !== 'InvalidSpec') throw error
    return (error.report.problems ?? []).map((problem) =>
      'line' in problem ? [problem.line, problem.column, problem.problem] : [problem.problem],
    )
  }
  throw new Error('nothing was wrong')
}

describe('YAML that is broken', () => {
  test.each([
    ['a key given twice', 'id: a\nid: b\n', [[2, 1, 'this key is given twice']]],
    ['a second document', 'id: a\n---\nid: b\n', [[2, 1, 'a second document begins here; a file holds one']]],
    ['an unknown tag', 'id: !secret a\n', [[1, 5, 'Unresolved tag: !secret']]],
    ['nothing in it', '# only a comment\n', []],
  ])('%s is an error with its place', (_, text, expected) =>
    expect(problemsOf(() => parseYaml(text, 'job.yaml'))).toEqual(expected),
  )

  test('a list that is not closed is an error with line and column', () => {
    expect(problemsOf(() => parseYaml('steps: [1,\nid: a\n', 'job.yaml'))[0]?.slice(0, 1)).toEqual([2])
  })

  test('aliases that grow without end are refused', () => {
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 9; i++)
      bomb.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      )
    const [problem] = problemsOf(() => parseYaml(bomb.join('\n'), 'job.yaml'))
    expect(problem?.[0]).toMatch(/alias/i)
  })
})

describe('a spec in YAML', () => {
  test('names every wrong field in the order of the file', () => {
    const text =
      'id: a b\nbranch: x\nrepo: { url: ftp://x }\nsteps:\n  - run: ok\n  - rnu: oops\n    run: ok\n'
    const found = problemsOf(() => checkYaml(agentJobSpec, parseYaml(text, 'job.yaml'), 'job.yaml'))
    expect(found.map(([line, column]) => `${line}:${column}`)).toEqual(['1:1', '3:9', '6:5'])
  })

  test('the example fits the schema, and names its secret instead of holding it', async () => {
    const file = new URL('../../examples/bump.yaml', import.meta.url)
    const spec = checkYaml(agentJobSpec, parseYaml(await readFile(file, 'utf8'), 'bump.yaml'), 'bump.yaml')
    expect(spec.repo.auth).toMatchObject({ secret: 'GIT_TOKEN' })
    expect(spec.review).toMatchObject({ required: true, timeout: 7 * 86_400_000 })
    expect(spec.steps).toHaveLength(4)
  })
})
