import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { branchNameProblem, repositoryPathProblem } from '../../src/contract/git-names.ts'
import { type FieldProblem, parse } from '../../src/contract/parse.ts'
import { secret } from '../../src/contract/fields.ts'
import { agentJobJsonSchema, agentJobSpec, type AgentJobInput } from '../../src/contract/spec.ts'

const valid = (): AgentJobInput => ({
  id: 'bump-deps',
  repo: { url: 'https://git.example/acme/web.git', auth: secret('GIT_TOKEN') },
  branch: 'holdfast/bump-deps',
  steps: [{ run: 'npm ci' }],
})

const problemsOf = (input: unknown): FieldProblem[] => {
  const parsed = parse(agentJobSpec, input)
  if (parsed.ok) throw new Error('expected problems')
  return parsed.problems
}

test('a minimal spec gets every default, with times in milliseconds', () => {
  const parsed = parse(agentJobSpec, {
    ...valid(),
    checks: [{ run: 'npm test', timeout: '20m' }],
    review: {},
  })
  expect(parsed.ok && parsed.value).toMatchObject({
    repo: { base: 'main', auth: { secret: 'GIT_TOKEN', username: 'x-access-token' } },
    steps: [{ run: 'npm ci', timeout: 600_000 }],
    checks: [{ timeout: 1_200_000 }],
    review: { required: true, timeout: 7 * 86_400_000, onTimeout: 'reject' },
    push: false,
    sandbox: { keep: 'on-failure', timeout: 600_000, envs: {} },
  })
})

test('parsing a parsed spec changes nothing', () => {
  const once = parse(agentJobSpec, valid())
  expect(once.ok && parse(agentJobSpec, once.value)).toEqual(once)
})

describe('each wrong field is named with its problem', () => {
  const cases: [string, (spec: AgentJobInput) => unknown, string, RegExp][] = [
    ['URL of another scheme', (s) => ({ ...s, repo: { url: 'file:///etc' } }), 'repo.url', /http/],
    ['URL with a tab', (s) => ({ ...s, repo: { url: 'https://h/\tr' } }), 'repo.url', /control character/],
    ['URL with a space', (s) => ({ ...s, repo: { url: 'https://h/a b' } }), 'repo.url', /%20/],
    [
      'two MCP servers of one name',
      (s) => ({
        ...s,
        steps: [
          {
            llm: { model: 'm', baseUrl: 'https://h/v1' },
            prompt: 'Go',
            mcp: ['a', 'b'].map((host) => ({ name: 'tracker', url: `https://${host}` })),
          },
        ],
      }),
      'steps[0].mcp[1].name',
      /another server/,
    ],
    ['URL with credentials', (s) => ({ ...s, repo: { url: 'https://u:p@h/r' } }), 'repo.url', /credentials/],
    ['branch that is an option', (s) => ({ ...s, branch: '--upload-pack=x' }), 'branch', /option/],
    ['branch that is the base', (s) => ({ ...s, branch: 'main' }), 'branch', /base itself/],
    ['unknown field', (s) => ({ ...s, stepz: [] }), 'stepz', /not a field/],
    [
      'unknown field of a step',
      (s) => ({ ...s, steps: [{ run: 'x', shell: 'sh' }] }),
      'steps[0].shell',
      /not a field/,
    ],
    ['no step', (s) => ({ ...s, steps: [] }), 'steps', /./],
    [
      'path out of the repository',
      (s) => ({ ...s, steps: [{ write: '../x', content: '' }] }),
      'steps[0].write',
      /leaves/,
    ],
    [
      'path into .git',
      (s) => ({ ...s, steps: [{ write: 'a/.GIT/config', content: '' }] }),
      'steps[0].write',
      /\.git/,
    ],
    [
      'time that is none',
      (s) => ({ ...s, steps: [{ run: 'x', timeout: 'soon' }] }),
      'steps[0].timeout',
      /time/,
    ],
    [
      'time over the limit',
      (s) => ({ ...s, steps: [{ run: 'x', timeout: '2d' }] }),
      'steps[0].timeout',
      /at most/,
    ],
    ['empty time', (s) => ({ ...s, steps: [{ run: 'x', timeout: '' }] }), 'steps[0].timeout', /at most/],
    ['push without a commit', (s) => ({ ...s, push: true }), 'push', /commit\.message/],
    [
      'names allowed while all else is not denied',
      (s) => ({ ...s, sandbox: { network: { allowOut: ['git.example'] } } }),
      'sandbox.network.denyOut',
      /0\.0\.0\.0/,
    ],
    ['secret by value', (s) => ({ ...s, repo: { ...s.repo, auth: 'ghp_x' } }), 'repo.auth', /./],
    ['id with a space', (s) => ({ ...s, id: 'a b' }), 'id', /letters/],
    [
      'environment variable of a bad name',
      (s) => ({ ...s, sandbox: { envs: { 'A B': 'x' } } }),
      'sandbox.envs.A B',
      /./,
    ],
  ]
  test.each(cases)('%s', (_, change, field, problem) => {
    const problems = problemsOf(change(valid()))
    expect(problems.map((found) => found.field)).toContain(field)
    expect(problems.find((found) => found.field === field)?.problem).toMatch(problem)
  })
})

test('several wrong fields are told at once', () => {
  const problems = problemsOf({ ...valid(), id: '', branch: 'a..b', steps: [{ run: 'x', timeout: 'soon' }] })
  expect(problems.map(({ field }) => field)).toEqual(
    expect.arrayContaining(['id', 'branch', 'steps[0].timeout']),
  )
})

test('whatever is thrown at the schema, parsing never throws', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (whole, part) => {
      parse(agentJobSpec, whole)
      parse(agentJobSpec, { ...valid(), steps: part, repo: part })
    }),
  )
})

test('a branch name is accepted only where git accepts it', () => {
  const letters = fc.constantFrom(
    'a',
    'B',
    '1',
    '/',
    '.',
    '-',
    '_',
    '@',
    '{',
    '~',
    '^',
    ':',
    ' ',
    '*',
    '\\',
    '.lock',
    '..',
  )
  fc.assert(
    fc.property(fc.array(letters, { minLength: 1, maxLength: 6 }), (parts) => {
      const name = parts.join('')
      if (branchNameProblem(name) !== undefined) return
      expect(() =>
        execFileSync('git', ['check-ref-format', '--branch', name], { stdio: 'pipe' }),
      ).not.toThrow()
    }),
    { numRuns: 150 },
  )
})

test('a repository path that is accepted stays in the repository', () => {
  fc.assert(
    fc.property(fc.string(), (path) => {
      if (repositoryPathProblem(path) !== undefined) return
      const { pathname } = new URL(encodeURIComponent(path).replaceAll('%2F', '/'), 'file:///repo/')
      expect(pathname.startsWith('/repo/') || pathname === '/repo').toBe(true)
    }),
  )
})

test('the JSON Schema describes what a caller writes', () => {
  const schema = agentJobJsonSchema() as { required: string[]; properties: Record<string, unknown> }
  expect(schema.required.toSorted()).toEqual(['branch', 'id', 'repo', 'steps'])
  expect(Object.keys(schema.properties)).toContain('review')
})

test('a missing field and a misspelt step are told in plain words', () => {
  expect(problemsOf({ ...valid(), branch: undefined })).toContainEqual({
    field: 'branch',
    problem: 'is missing',
  })
  expect(problemsOf({ ...valid(), steps: [{ rnu: 'npm ci' }] })).toContainEqual({
    field: 'steps[0].rnu',
    problem: 'is not a field here',
  })
})
