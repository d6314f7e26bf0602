import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import pc from 'picocolors'
import { describe, expect, test } from 'vitest'
import type { JobStatus } from '../../src/contract/job.ts'
import type { SessionStatus } from '../../src/contract/session.ts'
import { milliseconds, portNumber, wholeNumber } from '../../src/cli/numbers.ts'
import { programOf, quoted } from '../../src/cli/context.ts'
import { colorDiff } from '../../src/cli/diff-text.ts'
import { formatDuration, formatMoment } from '../../src/cli/progress/duration.ts'
import { alignRight, cleanLine, cleanLines, cut } from '../../src/cli/progress/text.ts'
import { formatSession, formatSessions } from '../../src/cli/session-text.ts'
import { formatList, formatResult, formatStatus } from '../../src/cli/status-text.ts'
import { hasColors } from '../../src/cli/terminal.ts'

const plain = pc.createColors(false)

describe('durations', () => {
  test.each([
    [-5, '0 ms'],
    [0, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [1_234, '1.2 s'],
    [59_949, '59.9 s'],
    [59_950, '1 min'],
    [123_000, '2 min 3 s'],
    [3_599_400, '59 min 59 s'],
    [3_599_600, '1 h'],
    [3_660_000, '1 h 1 min'],
    [86_399_000, '1 d'],
    [7 * 86_400_000 - 500, '7 d'],
    [90_000_000, '1 d 1 h'],
  ])('%i ms read %s', (ms, expected) => expect(formatDuration(ms)).toBe(expected))

  test('a moment is in local time', () => {
    expect(formatMoment(new Date(2026, 0, 5, 7, 3).getTime())).toBe('2026-01-05 07:03')
  })
})

describe('text of a sandbox', () => {
  test.each([
    ['colours', '\u001b[31mred\u001b[0m', 'red'],
    ['a title sequence', '\u001b]0;evil\u0007x', 'x'],
    ['a redrawn line', '10%\r50%\r100%', '100%'],
    ['a Windows line end', 'line\r', 'line'],
    ['tabs', 'a\tb', 'a    b'],
    ['a text direction override', 'a\u202eb', 'ab'],
    ['a bell and a backspace', 'a\u0007\bb', 'ab'],
  ])('%s: the terminal gets plain text', (_, text, expected) => expect(cleanLine(text)).toBe(expected))

  test('lines end where they end, without an empty one more', () => {
    expect(cleanLines('a\r\nb\n')).toEqual(['a', 'b'])
    expect(cleanLines('a\n\nb')).toEqual(['a', '', 'b'])
    expect(cleanLines('')).toEqual([])
  })

  test('a text is cut by what a person sees, and durations stand in one column', () => {
    expect(cut('👩‍💻👩‍💻👩‍💻', 2)).toBe('👩‍💻…')
    const rows = ['x', 'a'.repeat(200)].map((text) => alignRight(text, '1.2 s'))
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([69]))
    expect(alignRight('a'.repeat(200))).toHaveLength(200)
  })
})

describe('a diff in colour', () => {
  test('holds the same text, without the control characters of a file', () => {
    const text = 'diff --git a/x b/x\n@@ -1 +1 @@\n-old\n+new\u001b[2J\u0008\n same\n'
    const coloured = colorDiff(text, pc.createColors(true))
    expect(coloured).toContain('\u001b[32m+new')
    expect(coloured).not.toContain('\u001b[2J')
    expect(colorDiff(text, plain)).toBe('diff --git a/x b/x\n@@ -1 +1 @@\n-old\n+new�\n same\n')
  })
})

describe('options', () => {
  test('numbers that are none are refused', () => {
    expect(wholeNumber('17')).toBe(17)
    for (const bad of ['', '-1', '1.5', '1e3', 'x', '9'.repeat(20)]) expect(() => wholeNumber(bad)).toThrow()
    for (const bad of ['0', '65536']) expect(() => portNumber(bad)).toThrow()
  })

  test('the commands that are suggested name the same server', () => {
    expect(programOf({})).toBe('holdfast')
    expect(programOf({ address: '127.0.0.1:7300', namespace: "it's" })).toBe(
      `holdfast --address 127.0.0.1:7300 --namespace 'it'\\''s'`,
    )
  })

  test('colour is for terminals that have it', () => {
    expect(hasColors({ isTTY: true, hasColors: () => true })).toBe(true)
    expect(hasColors({ isTTY: true, hasColors: () => false })).toBe(false)
    expect(hasColors({})).toBe(false)
  })
})

const sandbox = {
  sandboxId: 'sbx1',
  state: 'paused' as const,
  runningMs: 4_000,
  pausedMs: 120_000,
  pauses: 1,
  resumes: 1,
  sizes: [{ cpuCount: 2, memoryMb: 512, runningMs: 4_000, pausedMs: 120_000 }],
}
const cost = {
  sandbox: { runningMs: 4_000, pausedMs: 120_000, usd: 0.000_121 },
  temporal: { actions: 30, usd: 0.0015 },
  models: { inputTokens: 0, outputTokens: 0, usd: 0 },
  usd: 0.001_621,
  savedByPausingUsd: 3.6,
}

const status = (rest: Partial<JobStatus>): JobStatus => ({
  id: 'bump',
  phase: 'steps',
  round: 1,
  current: null,
  waitingFor: null,
  sandbox,
  branch: 'holdfast/bump',
  commit: null,
  cost,
  steps: [],
  ...rest,
})

describe('answers for people', () => {
  test('a job in review says what it waits for and how to answer', () => {
    const text = formatStatus(
      status({
        phase: 'review',
        round: 2,
        waitingFor: { kind: 'review', since: 0, until: 1_000, answerWith: 'holdfast approve bump' },
        steps: [{ step: 0, kind: 'check', name: 'npm test', round: 1, ms: 1_200, exitCode: 0 }],
      }),
      'holdfast --address a:1',
      61_000,
      plain,
    )
    expect(text.split('\n').map((line) => line.replace(/;? until .*/, ''))).toEqual([
      'job          bump',
      'phase        review, round 2',
      'waits for    a review, for 1 min 1 s now',
      'answer with  holdfast --address a:1 approve bump',
      'branch       holdfast/bump',
      'sandbox      sbx1, paused; ran 4.0 s, paused 2 min, resumed once',
      'cost         $0.0016: sandbox $0.00012, 30 Temporal actions $0.0015; pausing saved $3.60',
      alignRight('  ✔ check: npm test', '1.2 s'),
    ])
  })

  test('a job that waits before it has a sandbox says so', () => {
    const waits = status({
      phase: 'prepare',
      current: 'sleep 1 hour',
      waitingFor: { kind: 'timer', since: 0, until: 3_600_000 },
      sandbox: { ...sandbox, sandboxId: null, state: 'none' },
    })
    const text = formatStatus(waits, 'holdfast', 61_000, plain)
    expect(text).toMatch(
      /^phase +prepare$[^]*^waits for +its time, for 1 min 1 s now[^]*^sandbox +none yet$/m,
    )
  })

  test('a job that waits for leave to use a tool shows all that the tool is to do', () => {
    const waits = status({
      waitingFor: {
        kind: 'tool',
        call: '1a2b',
        summary: 'run: npm test # npm publish',
        asked: 'command: |-\n  npm test #\n  npm publish\u202e',
        since: 0,
        until: 3_600_000,
        answerWith: 'holdfast allow bump 1a2b',
      },
    })
    const text = formatStatus(waits, 'holdfast', 61_000, plain)
    expect(text).toMatch(/^asks for +command: \|-\n {15}npm test #\n {15}npm publish\nbranch/m)
  })

  test('a result says what the remote has now', () => {
    const result = {
      outcome: 'completed' as const,
      branch: 'b',
      base: 'main',
      baseCommit: '0'.repeat(40),
      commit: '1'.repeat(40),
      remoteHead: '1'.repeat(40),
      diff: { files: 1, insertions: 2, deletions: 3, truncated: false },
      checks: [],
      review: null,
      sandbox,
      cost,
    }
    expect(formatResult(result, plain)).toMatch(
      /^outcome {6}completed\n[^]*^changes {6}1 file, \+2 −3$[^]*has it$/m,
    )
  })

  test('jobs make a table, no jobs a sentence', () => {
    expect(formatList([], 0, plain)).toBe('no jobs')
    const job = { id: 'bump', runId: 'r', status: 'RUNNING', startedAt: new Date(0), closedAt: undefined }
    const [head, row] = formatList([job], 61_000, plain).split('\n')
    expect(row).toMatch(/^running .* 1 min 1 s {2}bump$/)
    expect(row?.indexOf('bump')).toBe(head?.indexOf('JOB'))
  })
})

describe('sessions', () => {
  const status: SessionStatus = {
    id: 'dev',
    state: 'running',
    sandbox: {
      sandboxId: 'sbx',
      state: 'running',
      runningMs: 90_000,
      pausedMs: 0,
      sizes: [{ cpuCount: 2, memoryMb: 512, runningMs: 90_000, pausedMs: 0 }],
      pauses: 0,
      resumes: 0,
    },
    inUse: 1,
    operations: 12,
    runs: 1,
    openedAt: 0,
    usedAt: 50_000,
    idleTimeout: 120_000,
  }

  test('what a session is and does stands in lines', () => {
    const text = formatSession(status, 60_000, plain)
    expect(text).toMatch(/^state +running$/m)
    expect(text).toMatch(/^now +1 operation under way$/m)
    expect(text).toMatch(/^used +10.0 s ago, 12 operations so far$/m)
    expect(formatSession({ ...status, inUse: 0 }, 60_000, plain)).not.toContain('under way')
  })

  test('a list has a line for each, and says where there is none', () => {
    const text = formatSessions([{ id: 'dev', openedAt: new Date(0) }], 60_000, plain)
    expect(text.split('\n')[1]).toMatch(/ 1 min {2}dev$/)
    expect(formatSessions([], 0, plain)).toBe('no open sessions')
  })
})

test('a quoted word is one word for a shell, with nothing expanded in it', () => {
  fc.assert(
    fc.property(fc.array(fc.string().map((word) => word.replaceAll('\0', ''))), (words) => {
      const line = ['printf', '%s\\0', ...words].map(quoted).join(' ')
      const printed = execFileSync('sh', ['-c', line], { encoding: 'utf8' })
      expect(printed).toBe(words.length > 0 ? words.map((word) => `${word}\0`).join('') : '\0')
    }),
    { numRuns: 40 },
  )
})

test.each([
  ['90s', 90_000],
  ['1.5h', 5_400_000],
  ['250', 250],
])('the time %s is %i ms', (text, ms) => expect(milliseconds(text)).toBe(ms))

test.each(['', '0', '-5s', 'soon', '1e400'])('%j is no time', (text) =>
  expect(() => milliseconds(text)).toThrow('Give a time'),
)
