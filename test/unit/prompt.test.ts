import fc from 'fast-check'
import { expect, test } from 'vitest'
import { agentJobSpec } from '../../src/contract/spec.ts'
import { printOf, promptFor, usefulPart } from '../../src/workflows/lib/prompt.ts'

const spec = agentJobSpec.parse({
  id: 'fix-it',
  repo: { url: 'https://git.example/x.git', base: 'next' },
  branch: 'fix/it',
  steps: [{ run: 'true' }],
  checks: [{ run: 'npm test' }, { run: 'make', cwd: 'native' }],
})
const prompt = 'Mend the rounding'
const diff = `diff --git a/src/a.js b/src/a.js
--- a/src/a.js
+++ b/src/a.js
@@ -1,3 +1,2 @@
 kept
---- counts
-old
+new
diff --git a/b c.txt b/b c.txt
new file mode 100644
--- /dev/null
+++ b/b c.txt
@@ -0,0 +1 @@
+x
`
const changes = { files: 2, insertions: 2, deletions: 2, text: diff, truncated: false }
const red = { name: 'npm test', exitCode: 1 }

test.each([
  [
    'the first turn has the task, the setting and the checks',
    promptFor({ kind: 'first', prompt }, spec, false),
    ['Mend the rounding', 'branch fix/it, made from next', '- npm test\n- make (in native)'],
    ['asked before'],
  ],
  [
    'feedback within a conversation stands alone',
    promptFor({ kind: 'feedback', prompt, feedback: 'Shorter, please' }, spec, true),
    ['Shorter, please'],
    ['Mend the rounding', 'npm test'],
  ],
  [
    'feedback without the conversation comes with what was asked before',
    promptFor({ kind: 'feedback', prompt, feedback: 'Shorter, please' }, spec, false),
    ['asked before', 'Mend the rounding', '- npm test', 'Shorter, please'],
    [],
  ],
  [
    'who was cut off is asked to go on',
    promptFor({ kind: 'goOn', asked: { kind: 'feedback', prompt, feedback: 'Shorter' } }, spec, true),
    ['You were cut off', 'Go on'],
    ['Mend the rounding', 'Shorter'],
  ],
  [
    'who was cut off and keeps no conversation is told what was asked',
    promptFor({ kind: 'goOn', asked: { kind: 'feedback', prompt, feedback: 'Shorter' } }, spec, false),
    ['asked before', 'Mend the rounding', '- npm test', 'Shorter', 'Go on'],
    [],
  ],
  [
    'a red check comes with its output',
    promptFor({ kind: 'fix', prompt, check: red, output: 'expected 1, got 2' }, spec, true),
    ['"npm test" exited with 1', 'expected 1, got 2'],
    ['Mend the rounding'],
  ],
  [
    'feedback within a conversation comes with the list of changed files, not with the diff',
    promptFor({ kind: 'feedback', prompt, feedback: 'Shorter', changes }, spec, true),
    ['2 files, 2 lines added, 2 removed', '- src/a.js (+1 -2)\n- b c.txt (+1 -0)', 'Shorter'],
    ['+new', 'more'],
  ],
  [
    'feedback without the conversation comes with the diff',
    promptFor({ kind: 'feedback', prompt, feedback: 'Shorter', changes }, spec, false),
    ['asked before', '- src/a.js (+1 -2)', diff.trimEnd(), 'Shorter'],
    [],
  ],
  [
    'a red check comes with the list of changed files',
    promptFor({ kind: 'fix', prompt, check: red, output: 'no', changes }, spec, true),
    ['- src/a.js (+1 -2)', '"npm test" exited with 1'],
    ['+new'],
  ],
  [
    'where nothing has changed there is no list',
    promptFor(
      { kind: 'fix', prompt, check: red, output: 'no', changes: { ...changes, files: 0, text: '' } },
      spec,
      true,
    ),
    ['"npm test" exited with 1'],
    ['Changed so far'],
  ],
  [
    'a check that took too long is said to have',
    promptFor({ kind: 'fix', prompt, check: { ...red, exitCode: 124 }, output: '' }, spec, true),
    ['ran into its timeout'],
    [],
  ],
])('%s', (_, text, present, absent) => {
  for (const words of present) expect(text).toContain(words)
  for (const words of absent) expect(text).not.toContain(words)
})

test('whatever the diff, what a prompt says of it is bounded, and no file goes uncounted', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 0, max: 50_000 }),
      fc.boolean(),
      (files, size, known) => {
        const one = (n: number): string =>
          `diff --git a/${n} b/${n}\n--- a/${n}\n+++ b/${n}\n@@ -0,0 +1 @@\n+${'x'.repeat(size / files)}\n`
        const text = Array.from({ length: files }, (_, n) => one(n)).join('')
        const many = { files, insertions: files, deletions: 0, text, truncated: false }
        const said = promptFor({ kind: 'feedback', prompt, feedback: 'Go', changes: many }, spec, known)
        expect(said.length).toBeLessThan(60_000)
        const listed = said.match(/^- \d+ \(\+1 -0\)$/gm)?.length ?? 0
        const more = Number(/^- and (\d+) more$/m.exec(said)?.[1] ?? 0)
        expect(listed + more).toBe(files)
        expect(said.includes('diff --git')).toBe(!known)
      },
    ),
  )
})

test('of a long output the beginning, the end and what looks like errors are kept', () => {
  const lines = Array.from({ length: 5_000 }, (_, n) => `line ${n}`)
  lines[2_500] = 'AssertionError: expected 1 to be 2'
  const part = usefulPart(lines.join('\n'))
  expect(part).toContain('line 0\n')
  expect(part).toContain('line 4999')
  expect(part).toContain('line 2497\nline 2498\nline 2499\nAssertionError: expected 1 to be 2\nline 2501')
  expect(part).not.toContain('line 1000')
  expect(part.match(/^…$/gm)).toHaveLength(2)
})

test('whatever was printed, the useful part is bounded, and all of what is short', () => {
  const word = fc.constantFrom('error', 'ok', 'x'.repeat(3_000), 'failed here', '')
  fc.assert(
    fc.property(fc.array(word, { maxLength: 3_000 }), (lines) => {
      const output = lines.join('\n')
      const part = usefulPart(output)
      expect(part.length).toBeLessThanOrEqual(12_010)
      expect(lines.length > 80 || output.length > 12_000 || part === output.trimEnd()).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test.each([
  ['times', 'ran 12 tests in 1.23s', 'ran 12 tests in 4.5 s', true],
  ['addresses', 'at 0x7ffde in /tmp/a1/x', 'at 0x8ffee in /tmp/b2/x', true],
  ['commits', 'HEAD is 1a2b3c4d5e', 'HEAD is 9f8e7d6c5b', true],
  ['how many fail', '3 failed', '2 failed', false],
  ['what fails', 'not ok a', 'not ok b', false],
])('two failures that differ in %s', (_, one, other, same) => {
  expect(printOf(red, one) === printOf(red, other)).toBe(same)
})
