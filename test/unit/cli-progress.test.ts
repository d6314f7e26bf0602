import { describe, expect, test } from 'vitest'
import { createProgress } from '../../src/cli/progress.ts'
import { bounded, newOutput, OutputTail, unseenLines } from '../../src/cli/progress/output-tail.ts'
import type { CommandHeartbeat, JobEventBody } from '../../src/contract/job.ts'

const DAY = 86_400_000

/** Renders events; each comes with the ms since the one before. */
function render(events: [number, JobEventBody | CommandHeartbeat][], options = {}): string[] {
  const lines: string[] = []
  const write = (line: string): void => void lines.push(line)
  const progress = createProgress({ write, color: false, jobId: 'bump', now: () => 0, ...options })
  let [seq, at] = [0, 0]
  for (const [ms, item] of events) {
    at += ms
    if ('type' in item) progress.event({ seq: seq++, at, ...item })
    else progress.output(item)
  }
  return lines.map((line) => line.replaceAll(/ {2,}(?=\d)/g, '  '))
}

const beat = (
  recent: string,
  stdoutBytes = Buffer.byteLength(recent),
  stderrBytes = 0,
): CommandHeartbeat => ({
  commandId: 'c1',
  stdoutBytes,
  stderrBytes,
  recent,
})

const started = (name: string, kind: 'run' | 'write' | 'check' = 'run'): JobEventBody => ({
  type: 'stepStarted',
  step: 0,
  kind,
  name,
  round: 1,
})
const finished = (
  name: string,
  output: string,
  exitCode = 0,
  kind: 'run' | 'write' | 'check' = 'run',
): JobEventBody => ({ type: 'stepFinished', step: 0, kind, name, round: 1, ms: 1_200, exitCode, output })
const sandbox = (type: 'sandboxPaused' | 'sandboxResumed' | 'sandboxKilled', ms: number): JobEventBody => ({
  type,
  sandboxId: 'sbx1',
  ms,
})

describe('the progress of a job', () => {
  test('what an agent does is told in words while it works, and at the end what was not told yet', () => {
    const stream = [
      { type: 'step_start', sessionID: 's' },
      { type: 'text', part: { text: 'Let me look.\nAnd mend.' } },
      { type: 'tool_use', part: { tool: 'bash', state: { title: 'npm test' } } },
    ]
      .map((event) => `${JSON.stringify(event)}\n`)
      .join('')
    const usage = { inputTokens: 3, outputTokens: 4, costUsd: 0 }
    const last = ['Let me look. And mend.', 'bash: npm test', 'Done.']
    const report = { conversation: 's', message: 'Done.', error: null, toolCalls: 1, usage, last }
    const ofAgent = { step: 0, kind: 'agent', name: 'Mend it', round: 1 } as const
    const events: [number, JobEventBody | CommandHeartbeat][] = [
      [0, { type: 'stepStarted', ...ofAgent, agent: 'opencode' }],
      [0, beat(stream)],
      [0, { type: 'agentTurn', step: 0, resumed: true, ...report }],
      [0, { type: 'stepFinished', ...ofAgent, ms: 1_200, exitCode: 0, output: 'Done.' }],
    ]
    const told = ['    │ Let me look.', '    │ And mend.', '    │ ⚙ bash: npm test']
    const counted = '    │ went on with its conversation, 1 tool call, 7 tokens'
    const [begins, ends] = ['  ▸ Mend it', '  ✔ Mend it  1.2 s']
    // Its last words came when nobody asked any more.
    expect(render(events)).toEqual([begins, ...told, '    │ Done.', counted, ends])
    // Whoever comes late is told what it did last.
    expect(render(events.filter(([, item]) => 'type' in item))).toEqual([
      begins,
      ...last.map((line) => `    │ ${line}`),
      counted,
      ends,
    ])
  })

  test('phases and steps come with their times, and a step with its output', () => {
    const lines = render([
      [0, { type: 'phase', phase: 'clone' }],
      [2_100, { type: 'phase', phase: 'steps' }],
      [0, started('npm ci')],
      [0, beat('added 12\naud')],
      [900, beat('added 12\naudited 12\n')],
      [300, finished('npm ci', 'added 12\naudited 12\nfound 0\n')],
      [10, started('write .nvmrc', 'write')],
      [10, finished('write .nvmrc', '', 0, 'write')],
      [5, { type: 'phase', phase: 'done' }],
    ])
    expect(lines).toEqual([
      '▸ clone',
      '✔ clone  2.1 s',
      '▸ steps',
      '  ▸ npm ci',
      '    │ added 12',
      '    │ audited 12',
      '    │ found 0',
      '  ✔ npm ci  1.2 s',
      '  ✔ write .nvmrc  1.2 s',
      '✔ steps  1.2 s',
      '✔ done  3.3 s',
    ])
  })

  test('a review shows the pause, the commands that answer, and how long the sandbox was paused', () => {
    const lines = render(
      [
        [0, { type: 'phase', phase: 'review' }],
        [900, sandbox('sandboxPaused', 880)],
        [0, { type: 'reviewRequested', round: 2, files: 1, insertions: 3, deletions: 0, until: DAY }],
        [123_000, { type: 'reviewAnswered', review: { decision: 'approve', by: 'alice' } }],
        [400, sandbox('sandboxResumed', 400)],
      ],
      { program: 'npx holdfast' },
    )
    expect(lines.map((line) => line.replace(/until .*/, 'until …'))).toEqual([
      '▸ review',
      '  ⏸ sandbox paused  880 ms',
      '  ┌ Your review, please (round 2): 1 file, +3 −0',
      '  │ look             npx holdfast diff bump',
      '  │ approve          npx holdfast approve bump',
      '  │ reject           npx holdfast reject bump --reason "…"',
      '  │ request changes  npx holdfast request-changes bump --feedback "…"',
      '  └ waits for 1 d more, until …',
      '  ✔ approved by alice',
      '  ▶ sandbox resumed after 2 min 3 s of pause  400 ms',
    ])
  })

  test.each([
    [{ decision: 'reject', by: 'bob', reason: 'no' }, '  ✘ rejected by bob: no'],
    [
      { decision: 'requestChanges', by: 'bob', feedback: 'shorter\nplease' },
      '  ↻ changes requested by bob: shorter please',
    ],
    [{ decision: 'approve', by: 'bob', comment: '\u001b[2Jnice' }, '  ✔ approved by bob: nice'],
  ] as const)('the answer %j is told with its words', (review, line) =>
    expect(render([[0, { type: 'reviewAnswered', review }]])).toEqual([line]),
  )

  test('a failure closes its phase and comes with the end of the output and the remedy', () => {
    const output = `${Array.from({ length: 50 }, (_, i) => `line ${i}`).join('\n')}\n`
    const failure = { type: 'CheckFailed', message: 'exited with 1', remedy: 'read it', output } as const
    const lines = render([
      [0, { type: 'phase', phase: 'checks' }],
      [0, started('npm test', 'check')],
      [1_200, finished('npm test', output, 1, 'check')],
      [0, { type: 'failed', failure }],
      [0, { type: 'phase', phase: 'cleanUp' }],
      [500, { type: 'phase', phase: 'done' }],
    ])
    expect(lines.filter((line) => !line.includes('line '))).toEqual([
      '▸ checks',
      '  ▸ check: npm test',
      '  ✘ check: npm test (exit 1)  1.2 s',
      '✘ checks  1.2 s',
      '  ┌ CheckFailed: exited with 1',
      '  └ remedy: read it',
      '▸ clean up',
      '✔ clean up  500 ms',
      '✘ failed  1.7 s',
    ])
    expect(lines.filter((line) => line.includes('line '))).toHaveLength(20)
  })

  test('a timeout is told apart, and a long name leaves room for it', () => {
    const [line] = render([[0, finished('x'.repeat(80), '', 124)]])
    expect(line).toContain('(exit 124: timeout)')
  })

  test('events before `from` are not shown, and still give the durations', () => {
    const lines = render(
      [
        [0, { type: 'phase', phase: 'review' }],
        [100, sandbox('sandboxPaused', 80)],
        [60_000, sandbox('sandboxResumed', 0)],
      ],
      { from: 2 },
    )
    expect(lines).toEqual(['  ▶ sandbox resumed after 1 min of pause  0 ms'])
  })

  test('output without a running command is ignored', () => {
    expect(render([[0, beat('clone: receiving objects\n')]])).toEqual([])
  })

  test('colour changes no word', () => {
    const events: [number, JobEventBody][] = [
      [0, { type: 'phase', phase: 'push' }],
      [5, { type: 'pushed', branch: 'b', remoteHead: 'a'.repeat(40) }],
      [5, { type: 'cancelled' }],
      [5, { type: 'phase', phase: 'done' }],
    ]
    const coloured = render(events, { color: true })
    expect(coloured.join('')).toContain('\u001b[')
    expect(coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, ''))).toEqual(render(events))
  })
})

describe('the live output of a command', () => {
  const seen = (recent: string, bytes = Buffer.byteLength(recent)) => ({ recent, bytes })

  test.each([
    ['all of the first', beat('abc'), seen('', 0), 'abc', 0],
    ['what is new by bytes', beat('abcdef'), seen('abc'), 'def', 0],
    ['stdout and stderr together', beat('abcdef', 4, 2), seen('abc'), 'def', 0],
    ['nothing twice', beat('abc'), seen('abc'), '', 0],
    ['what the window still holds', beat('xyz', 100), seen('abc'), 'xyz', 94],
    ['whole characters', beat('aé€'), seen('aé'), '€', 0],
    [
      'the right place after a secret was blotted out',
      beat('cloning with token ***\ndone\n', 60),
      seen('cloning with token '),
      '***\ndone\n',
      0,
    ],
  ])('%s', (_, heartbeat, before, text, missedBytes) => {
    const found = newOutput(heartbeat, before)
    expect(found.text).toBe(text)
    expect(found.missedBytes).toBe(missedBytes)
  })

  test('lines are handed out whole, each once, and the rest at the end', () => {
    const tail = new OutputTail()
    expect(tail.push(beat('one\ntw'))).toEqual(['one'])
    expect(tail.push(beat('one\ntwo\nthr'))).toEqual(['two'])
    expect(tail.finish('one\ntwo\nthree')).toEqual(['three'])
  })

  test('a line whose end has not come is handed out once nothing follows, and not again when only its end comes', () => {
    const tail = new OutputTail()
    expect(tail.push(beat('one\ntesting'))).toEqual(['one'])
    expect(tail.push(beat('one\ntesting'))).toEqual(['testing'])
    expect(tail.push(beat('one\ntesting'))).toEqual([])
    expect(tail.push(beat('one\ntesting\ntwo\n'))).toEqual(['two'])
    expect(tail.finish('one\ntesting\ntwo\n')).toEqual([])
  })

  test('a line that goes on after it was handed out comes again as a whole, once', () => {
    const tail = new OutputTail()
    tail.push(beat('..'))
    expect(tail.push(beat('..'))).toEqual(['..'])
    expect(tail.push(beat('...'))).toEqual([])
    expect(tail.push(beat('...'))).toEqual([])
    expect(tail.push(beat('.... ok\n'))).toEqual(['.... ok'])
    expect(tail.finish('.... ok\n')).toEqual([])
  })

  test('a record that begins in the middle of a shown line repeats nothing', () => {
    const tail = new OutputTail()
    tail.push(beat('a long line\nsecond\n'))
    expect(tail.finish('ng line\nsecond\nthird\n')).toEqual(['third'])
  })

  test('the output of the next command is not taken for this one', () => {
    const tail = new OutputTail()
    tail.push(beat('one\n'))
    expect(tail.push({ ...beat('two\n'), commandId: 'c2' })).toEqual([])
    expect(tail.push(beat('one\nthree\n'))).toEqual(['three'])
  })

  test('equal lines count as often as they came', () => {
    expect(unseenLines('x\nx\ny\nx\n', ['x', 'x'])).toEqual(['y', 'x'])
  })

  test('much output is bounded, and says so', () => {
    const lines = bounded(Array.from({ length: 25 }, (_, i) => String(i)))
    expect(lines).toHaveLength(21)
    expect(lines[0]).toBe('… (5 lines more) …')
    expect(lines.at(-1)).toBe('24')
  })
})
