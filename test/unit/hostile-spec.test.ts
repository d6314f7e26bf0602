import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeProblems, parse } from '../../src/contract/parse.ts'
import { agentJobSpec } from '../../src/contract/spec.ts'

/** What somebody would try who wants git, a shell, a path, a header or a parser to misread a field. */
const HOSTILE = [
  '--upload-pack=touch /tmp/x',
  '-oProxyCommand=x',
  '$(reboot)',
  '`reboot`',
  "'; reboot #",
  '../../etc/passwd',
  '.git/hooks/pre-commit',
  '.GIT/config',
  'a/../../b',
  'a\0b',
  'a\nb',
  'a\r\nX-Header: 1',
  '\u001b[2J',
  '\u202Egnp.exe',
  '\uD800',
  '__proto__',
  'constructor',
  'ext::sh -c reboot',
  'file:///etc/passwd',
  'https://user:password@git.example/x',
  'javascript:alert(1)',
  'x'.repeat(30_000),
  '@{-1}',
  'refs/heads/../x',
  'main.lock',
]
const text = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'main',
    'work',
    'a.txt',
    'npm test',
    'https://git.example/acme/web.git',
    '20m',
    'GIT_TOKEN',
  ),
)
const anything = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 1, arbitrary: fc.anything({ maxDepth: 3 }) },
)
const record = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc
    .record(fields, { requiredKeys: [] })
    .chain((known) =>
      fc
        .option(fc.dictionary(text, anything, { maxKeys: 2 }), { nil: {}, freq: 8 })
        .map((more) => ({ ...more, ...known })),
    )

const run = record({
  run: text,
  name: text,
  cwd: text,
  envs: fc.dictionary(text, text),
  timeout: anything,
  rerun: anything,
})
const step = fc.oneof(
  run,
  record({ write: text, content: text, executable: anything }),
  record({ patch: text }),
  record({ sleep: anything }),
  record({ waitFor: text, timeout: anything, onTimeout: anything }),
  record({
    agent: fc.oneof(text, record({ run: text, resume: text, keyHeader: text, state: fc.array(text) })),
    prompt: text,
    baseUrl: text,
    key: record({ secret: text }),
    envs: fc.dictionary(text, text),
    maxToolCalls: anything,
  }),
  record({
    llm: record({ model: text, baseUrl: text, key: record({ secret: text }), temperature: anything }),
    prompt: text,
    tools: fc.oneof(fc.array(text), anything),
    mcp: fc.array(record({ name: text, url: text, key: record({ secret: text }) })),
    approve: fc.array(record({ tool: text, matching: text })),
  }),
  anything,
)
const steps = fc.oneof(
  { weight: 60, arbitrary: fc.array(step, { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.nat(10_000).map((length) => Array.from({ length }, () => ({ run: 'true' }))) },
  {
    weight: 1,
    arbitrary: fc.nat(10_000).map((length) => Array.from({ length }, (_, index) => ({ [`k${index}`]: 1 }))),
  },
)
const fields = {
  id: text,
  repo: fc.record(
    {
      url: text,
      base: text,
      depth: anything,
      auth: fc.record({ secret: text, username: text }, { requiredKeys: ['secret'] }),
    },
    { requiredKeys: ['url'] },
  ),
  branch: text,
  steps,
  checks: fc.array(run, { maxLength: 3 }),
  review: fc.oneof(record({ required: anything, timeout: anything, onTimeout: anything }), anything),
  commit: fc.oneof(record({ message: text, author: record({ name: text, email: text }) }), anything),
  push: fc.oneof(fc.boolean(), anything),
  sandbox: record({
    template: text,
    envs: fc.dictionary(text, text),
    timeout: anything,
    network: record({ allowOut: fc.array(text), denyOut: fc.array(text) }),
    preview: record({ port: anything, autoResume: anything }),
    keep: anything,
  }),
  guards: fc.oneof(
    record({
      paths: fc.array(text),
      tests: fc.oneof(fc.array(text), anything),
      maxFiles: anything,
      onBreach: anything,
    }),
    anything,
  ),
  priority: fc.oneof(
    record({ priorityKey: anything, fairnessKey: text, fairnessWeight: anything }),
    anything,
  ),
  limits: fc.oneof(record({ sandboxTime: anything, costUsd: anything }), anything),
}
const VALID = {
  id: 'job',
  repo: { url: 'https://git.example/acme/web.git' },
  branch: 'work',
  steps: [{ run: 'true' }],
}
/** One field of a good spec is hostile, or all of them are. */
const spec = fc.oneof(
  fc.record(fields, { requiredKeys: [] }),
  ...Object.entries(fields).map(([name, value]) => value.map((hostile) => ({ ...VALID, [name]: hostile }))),
)

/** Generous, for a machine that does other things too; a regular expression that backtracks takes minutes. */
const MAX_MS = 2_000
const KNOWN = new Set(Object.keys(agentJobSpec.shape))

test('each of 10,000 hostile specs is accepted or refused with its fields named, soon', () => {
  const seen = { accepted: 0, refused: 0 }
  fc.assert(
    fc.property(spec, (input) => {
      const before = performance.now()
      const parsed = parse(agentJobSpec, input)
      expect(performance.now() - before).toBeLessThan(MAX_MS)
      seen[parsed.ok ? 'accepted' : 'refused']++
      if (parsed.ok) {
        expectHarmless(parsed.value)
        return
      }
      expect(parsed.problems.length).toBeGreaterThan(0)
      expect(describeProblems(parsed.problems).length).toBeLessThan(64 * 1024)
      for (const { field, problem } of parsed.problems) {
        expect(problem).not.toBe('')
        const named = field.split(/[.[]/)[0]!
        expect(KNOWN.has(named) || Object.hasOwn(input, named) || problem === 'is not a field here').toBe(
          true,
        )
      }
    }),
    { numRuns: 10_000 },
  )
  // Both happen, and often.
  expect(seen.accepted).toBeGreaterThan(500)
  expect(seen.refused).toBeGreaterThan(500)
})

/** What reaches git, a shell's environment or a path, once accepted. */
function expectHarmless({ id, repo, branch, steps, sandbox }: ReturnType<typeof agentJobSpec.parse>): void {
  for (const name of [branch, repo.base])
    expect(name).toMatch(/^[^-\u0000-\u0020~^:?*[\\\u007f][^\u0000-\u0020~^:?*[\\\u007f]*$/)
  expect(id).toMatch(/^[A-Za-z0-9][\w./-]*$/)
  const { protocol, username, password } = new URL(repo.url)
  expect([/^https?:$/.test(protocol), username, password]).toEqual([true, '', ''])
  expect(steps.length).toBeLessThanOrEqual(100)
  for (const path of steps.flatMap((step) => ('write' in step ? [step.write] : [])))
    expect(path).not.toMatch(/^\/|(^|\/)(\.\.|\.git)(\/|$)|[\u0000-\u001f]/i)
  for (const line of steps.flatMap((step) => ('run' in step ? [step.run] : [])))
    expect(line).not.toContain('\0')
  for (const name of Object.keys(sandbox.envs)) expect(name).toMatch(/^[A-Za-z_]\w*$/)
}
