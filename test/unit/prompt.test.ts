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
    'a red check comes with its output',
    promptFor({ kind: 'fix', prompt, check: red, output: 'expected 1, got 2' }, spec, true),
    ['"npm test" exited with 1', 'expected 1, got 2'],
    ['Mend the rounding'],
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
