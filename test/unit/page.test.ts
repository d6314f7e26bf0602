import fc from 'fast-check'
import { expect, test } from 'vitest'
import { code, fenced, prose, text, utf8Length } from '../../src/contract/markdown.ts'
import { MAX_PAGE_BYTES, pageOf } from '../../src/workflows/lib/page.ts'
import { jobView } from '../support/job-view.ts'

const [since, until] = [Date.UTC(2026, 0, 2, 3, 4, 5), Date.UTC(2026, 0, 9, 3, 4, 5)]
const review = { kind: 'review', since, until, answerWith: 'holdfast approve fix-it' } as const
const failure = {
  type: 'CheckFailed',
  message: '"npm test" exited with 1',
  remedy: 'look at the output',
} as const

const toolWait = {
  kind: 'tool',
  call: '1a2b',
  summary: 'run: npm test # npm publish',
  since,
  until,
  answerWith: 'holdfast allow fix-it 1a2b',
} as const

test.each([
  [
    'runs a step',
    { current: 'npm test' },
    ['### steps: `npm test`', '`i3x` running since 2026-01-02 03:04:05 UTC |', '`holdfast watch fix-it`'],
  ],
  [
    'waits for a review',
    { phase: 'review', round: 2, waitingFor: review },
    [
      '### review (round 2)',
      '**Waits for a review** since 2026-01-02 03:04:05 UTC',
      'Until 2026-01-09 03:04:05 UTC. Answer with `holdfast approve fix-it --by NAME`',
      '| `requestChanges` | `{"by": "your name", "feedback": "what to change"}` |',
    ],
  ],
  [
    'went beyond its guards',
    {
      phase: 'review',
      waitingFor: { ...review, breaches: [{ guard: 'paths', message: 'outside of guards.paths: a_b.ts' }] },
    },
    [String.raw`- **paths**: outside of guards.paths: a\_b.ts`],
  ],
  [
    'waits for a notification',
    {
      waitingFor: { kind: 'notification', name: 'ci', since, until, answerWith: 'holdfast notify fix-it ci' },
    },
    ['**Waits for the notification `ci`**', '`holdfast notify fix-it ci`', '`{"name":"ci"}`'],
  ],
  [
    'waits before it has a sandbox',
    {
      phase: 'prepare',
      current: 'wait for ci',
      waitingFor: { kind: 'notification', name: 'ci', since, until, answerWith: 'holdfast notify fix-it ci' },
      sandbox: { ...jobView().sandbox, sandboxId: null, state: 'none', runningMs: 0 },
    },
    ['### prepare: `wait for ci`', '**Waits for the notification `ci`**', '| sandbox | none yet |'],
  ],
  [
    'waits for leave to use a tool',
    { waitingFor: { ...toolWait, asked: 'command: |-\n  npm test #\n  npm publish' } },
    [
      '**Waits for a call of a tool to be allowed: `run: npm test # npm publish`**',
      '```text\ncommand: |-\n  npm test #\n  npm publish\n```',
      '`holdfast allow fix-it 1a2b --by NAME`',
      '`{"by":"your name","call":"1a2b"}`',
    ],
  ],
  [
    'waits for leave for more than a page',
    { waitingFor: { ...toolWait, asked: `content: "${'✓'.repeat(4_000)}"` } },
    ['✓✓✓✓', 'The rest: `holdfast status fix-it`', '`holdfast allow fix-it 1a2b --by NAME`'],
  ],
  [
    'waits for its time',
    { waitingFor: { kind: 'timer', since, until } },
    ['**Waits for its time**', 'Until 2026-01-09'],
  ],
  [
    'waits for an outage to end',
    { waitingFor: { kind: 'outage', since, until, failure: { ...failure, type: 'GitHostUnreachable' } } },
    ['**Waits for GitHostUnreachable**', 'Next try: 2026-01-09 03:04:05 UTC'],
  ],
  [
    'was paused',
    {
      sandbox: {
        sandboxId: 'i3x',
        state: 'paused',
        runningMs: 2_000,
        pausedMs: 3_000,
        pauses: 2,
        resumes: 1,
      },
    },
    ['`i3x` paused since 2026-01-02 03:04:05 UTC; ran 2s; earlier paused for 3s'],
  ],
  [
    'has a preview',
    { sandbox: { ...jobView().sandbox, state: 'paused', previewUrl: 'https://3000-i3x.e2b.app/' } },
    ['| preview | [https://3000-i3x.e2b.app/](<https://3000-i3x.e2b.app/>) |'],
  ],
  [
    'has steps behind it',
    {
      steps: [
        { step: 0, kind: 'run', name: 'npm ci | tee log', round: 1, ms: 2_000, exitCode: 0 },
        { kind: 'check', name: 'npm test', round: 1, ms: 500, exitCode: 1 },
        { step: 2, kind: 'run', name: 'hang', round: 1, ms: 60_000, exitCode: 124 },
      ],
      lastOutput: { step: 'npm test', text: 'one\ntwo\n' },
    },
    [
      '| `npm ci \\| tee log` | 1 | ok | 2s |',
      '| check: `npm test` | 1 | **exit 1** | 500ms |',
      '| `hang` | 1 | **out of time** | 1m |',
      'Last of what `npm test` printed:\n\n```text\none\ntwo\n```',
    ],
  ],
  [
    'has failed',
    { phase: 'done', ended: { outcome: 'failed', failure } },
    ['### CheckFailed', '"npm test" exited with 1', '**What to do:** look at the output'],
  ],
  [
    'has committed, on a host whose pages are known',
    {
      repo: { url: 'https://github.com/acme/web.git', base: 'main' },
      commit: '0123456789abcdef',
      diff: { files: 1, insertions: 10, deletions: 2 },
    },
    [
      '[0123456789ab](<https://github.com/acme/web/commit/0123456789abcdef>)',
      '(<https://github.com/acme/web/tree/holdfast/work>), from `main`',
      '1 file, +10 −2',
    ],
  ],
  ['refused an answer', { refused: 'approve: by: is missing' }, ['**Refused:** `approve: by: is missing`']],
  ['knows its cost', { cost: { ...jobView().cost, usd: 0.0123 } }, ['| cost | 0.0123 USD |']],
  [
    'knows what pausing saved',
    { cost: { ...jobView().cost, usd: 1, savedByPausingUsd: 2.5 } },
    ['| cost | 1.0000 USD; pausing saved 2.5000 USD |'],
  ],
] as const)('the page of a job that %s says so', (_, changes, parts) => {
  const page = pageOf(jobView(changes as Parameters<typeof jobView>[0]), until)
  for (const part of parts) expect(page).toContain(part)
})

test('of many steps the last ones are shown, and how many came before', () => {
  const steps = Array.from({ length: 50 }, (_, index) => ({
    step: 0,
    kind: 'run' as const,
    name: `step ${index}`,
    round: 1,
    ms: 1,
    exitCode: 0,
  }))
  const page = pageOf(jobView({ steps }), until)
  expect(page).toContain('30 earlier steps')
  expect(page).not.toContain('`step 29`')
  expect(page).toContain('`step 30`')
})

const anyText = fc.string({ unit: 'binary', maxLength: 3_000 })
test('whatever a job has in it, its page stays within its bound', () => {
  const step = fc.record({
    step: fc.nat(),
    kind: fc.constant('run' as const),
    name: anyText,
    round: fc.nat(),
    ms: fc.nat(),
    exitCode: fc.nat(255),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), anyText, anyText, (steps, name, output) => {
      const page = pageOf(
        jobView({
          steps,
          current: name,
          branch: name.slice(0, 250),
          repo: { url: `https://git.example/${name.slice(0, 2_000)}`, base: name },
          lastOutput: { step: name, text: output },
          refused: name,
          ended: { outcome: 'failed', failure: { ...failure, message: output, remedy: output } },
        }),
        until,
      )
      expect(utf8Length(page)).toBeLessThanOrEqual(MAX_PAGE_BYTES)
    }),
  )
})

test("others' text stays on its line and is no markup", () => {
  fc.assert(
    fc.property(anyText, (value) => {
      expect(text(value)).not.toMatch(/\n|(?<!\\)[<[|`]/)
      expect(code(value).slice(1, -1)).not.toMatch(/\n|`|(?<!\\)\|/)
    }),
  )
})

test('in prose, what stands between backticks is code, and commands keep their hyphens and dollar signs', () => {
  expect(prose('the sandbox is kept if `keep` says so')).toBe('the sandbox is kept if `keep` says so')
  expect(prose('a `b` c`')).toBe('a `b` c\\`')
  expect(prose('"echo $A" wants --by')).toBe(String.raw`"echo \$A" wants \--by`)
})

test("output can't leave its block, and terminals' colours are gone", () => {
  expect(fenced('a\n```\n# not a heading')).toBe('````text\na\n```\n# not a heading\n````')
  expect(fenced('\u001B[31mred\u001B[0m')).toContain('\nred\n')
})
