import type { ModelMessage } from 'ai'
import { expect, test } from 'vitest'
import { asText, withSummary } from '../../src/activities/lib/summary.ts'

const first: ModelMessage[] = [{ role: 'user', content: 'Mend it' }]
const outcome: ModelMessage = {
  role: 'tool',
  content: [
    { type: 'tool-result', toolCallId: '1', toolName: 'read', output: { type: 'text', value: 'the file' } },
  ],
}
const call: ModelMessage = {
  role: 'assistant',
  content: [
    { type: 'text', text: 'I look' },
    { type: 'tool-call', toolCallId: '1', toolName: 'read', input: { path: 'a' } },
  ],
}

test('what was said is told with calls of tools and what they gave', () => {
  expect(asText([...first, call, outcome])).toBe(
    'user: Mend it\n\nassistant: I look\nread {"path":"a"}\n\ntool: the file',
  )
})

test('behind a summary no outcome stands without its call', () => {
  const rest: ModelMessage[] = [outcome, call, outcome]
  const [task, summary, ...others] = withSummary(first, 'It was looked at.', rest)
  expect(task).toEqual(first[0])
  expect(summary?.role).toBe('user')
  expect(summary?.content).toMatch(/It was looked at\..*the file/s)
  expect(others).toEqual([call, outcome])
})

test('behind a summary what is asked next stands as it is', () => {
  const asked: ModelMessage = { role: 'user', content: 'Say so' }
  expect(withSummary(first, 'Done.', [asked, call]).slice(2)).toEqual([asked, call])
  expect(withSummary(first, 'Done.', [outcome]).slice(2)).toEqual([])
})
