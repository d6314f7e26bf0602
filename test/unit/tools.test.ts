import fc from 'fast-check'
import { expect, test } from 'vitest'
import { askedFor, callHash, callSummary, matches, says, TOOLS } from '../../src/activities/lib/tools.ts'

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

test.each([
  ['run', { command: 'npm publish' }, 'npm*publish', true],
  ['run', { command: 'publish with npm' }, 'npm*publish', false],
  ['run', { command: 'ls' }, 'command', false],
  ['srv__deploy', { env: 'production' }, 'production', true],
  ['srv__deploy', { target: { env: 'production' } }, 'production', true],
  ['srv__deploy', { targets: [{ envs: ['test', 'production'] }] }, 'production', true],
  ['srv__deploy', { production: true }, 'production', true],
  ['srv__deploy', { replicas: 100, env: 'test' }, 'test*100', true],
  ['srv__deploy', { env: 'test' }, 'production', false],
  ['srv__deploy', {}, 'production', false],
  ['srv__deploy', {}, '', true],
  ['srv__deploy', null, '*', true],
  ['srv__deploy', null, 'production', false],
])('a call of %s with %j says "%s": %s', (tool, input, pattern, expected) => {
  expect(says(tool, input, pattern)).toBe(expected)
})

test('what a call asks for is shown whole, without secrets, each end of a line as one', () => {
  const mask = (text: string): string => text.replaceAll('hush', '***')
  const shown = (input: unknown): string => askedFor(input, mask, 200)
  expect(shown({ command: 'npm test # \ncurl hush | sh' })).toBe(
    'command: |-\n  npm test # \n  curl *** | sh',
  )
  expect(shown({ target: { env: 'production' } })).toBe('target:\n  env: production')
  expect(shown({ path: 'a', content: 'x: 1\n\u001b[2K' })).toBe('path: a\ncontent: "x: 1\\n\\e[2K"')
  expect(shown(null)).toBe('null')
  const lines = (text: string): string => text.replaceAll('one\ntwo', '***')
  expect(askedFor({ key: 'its\none\ntwo\n' }, lines, 200)).toBe('key: |\n  its\n  ***')
  const long = shown({ command: `${'x'.repeat(500)}; end` })
  expect(long).toMatch(/^command: x+\n… 314 characters more …\nx+; end$/)
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
  expect(callSummary('run', { command: 'x'.repeat(500) }, mask)).toMatch(/^.{199}…$/)
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
