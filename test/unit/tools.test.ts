import fc from 'fast-check'
import { expect, test } from 'vitest'
import { callHash, callSummary, matches, TOOLS } from '../../src/activities/lib/tools.ts'

test.each([
  ['npm publish', 'npm publish', true],
  ['cd a && npm publish --tag x', 'npm publish', true],
  ['npm run build; npm  publish', 'npm*publish', true],
  ['publish with npm', 'npm*publish', false],
  ['npm install', 'npm*publish', false],
  ['anything', '', true],
  ['anything', '*', true],
  ['a.b', 'a.b', true],
  ['axb', 'a.b', false],
])('"%s" matches "%s": %s', (text, pattern, expected) => {
  expect(matches(text, pattern)).toBe(expected)
})

test('whatever stands between them, the parts of a pattern are found in their order, at once', () => {
  const part = fc.stringMatching(/^[ab]{0,4}$/)
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), fc.array(part), (parts, others) => {
      const text = parts.map((word, at) => `${word}${others[at] ?? ''}`).join('')
      expect(matches(text, parts.join('*'))).toBe(true)
    }),
  )
  expect(matches('a'.repeat(500_000), `${'a*'.repeat(200)}b`)).toBe(false)
})

test('the hash of a call is of its tool and its whole input, in whatever order', () => {
  expect(callHash('run', { a: 1, b: 2 })).toBe(callHash('run', { b: 2, a: 1 }))
  const hashes = [
    callHash('run', { command: 'ls' }),
    callHash('run', { command: 'ls ' }),
    callHash('read', { command: 'ls' }),
    callHash('run', { command: 'ls', more: '' }),
  ]
  expect(new Set(hashes).size).toBe(hashes.length)
})

test('the summary of a call says what it is about, in one line, without secrets', () => {
  const mask = (text: string): string => text.replaceAll('hush', '***')
  expect(callSummary('run', { command: 'echo hush\n  && ls' }, mask)).toBe('run: echo *** && ls')
  expect(callSummary('patch', { patch: '--- a/x\n+++ b/x\n@@' }, mask)).toBe('patch: b/x')
  expect(callSummary('diff', {}, mask)).toBe('diff')
  expect(callSummary('run', { command: 'x'.repeat(500) }, mask)).toHaveLength(200)
  expect(callSummary('run', null, mask)).toBe('run')
})

test.each([
  ['src/a b.ts', true],
  ['../x', false],
  ['/etc/passwd', false],
  ['.git/config', false],
  ['a\0b', false],
  ['', false],
])('every tool takes the path %j: %s', (path, expected) => {
  const inputs = {
    read: { path },
    write: { path, content: '' },
    list: { path },
    search: { path, pattern: 'x' },
  }
  for (const tool of ['read', 'write', 'list', 'search'] as const)
    expect(TOOLS[tool].input.safeParse(inputs[tool]).success).toBe(expected)
})
