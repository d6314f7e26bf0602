import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ModelAnswer, ToolCall } from '../../src/contract/llm.ts'
import { type LoopState, NEW_LOOP, partsToSumUp, take } from '../../src/workflows/lib/llm-turn.ts'

const bounds = { maxTurns: 10, maxTokens: 1_000, compactAt: 500 }
const call = (hash: string): ToolCall => ({
  id: `call-${hash}`,
  tool: 'run',
  remote: false,
  summary: `run: ${hash}`,
  hash,
  mustBeAllowed: false,
})
const answer = (rest: Partial<ModelAnswer>): ModelAnswer => ({
  transcript: { name: 't', parts: 20 },
  finish: 'stop',
  text: '',
  calls: [],
  invalid: 0,
  usage: { inputTokens: 10, outputTokens: 1 },
  ...rest,
})
const after = (state: Partial<LoopState>): LoopState => ({ ...NEW_LOOP, ...state })

test.each<[string, LoopState, Partial<ModelAnswer>, string]>([
  ['an answer in words ends the turn', NEW_LOOP, { text: 'Done.' }, 'done'],
  ['calls are done', NEW_LOOP, { finish: 'tools', calls: [call('a')] }, 'tools'],
  ['calls are done even where the reason says stop', NEW_LOOP, { calls: [call('a')] }, 'tools'],
  ['calls that are none are asked for again', NEW_LOOP, { finish: 'tools', invalid: 1 }, 'again'],
  ['of good and broken calls the good ones are done', NEW_LOOP, { invalid: 1, calls: [call('a')] }, 'tools'],
  ['nothing at all is a refusal', NEW_LOOP, {}, 'ModelRefused'],
  ['white space is nothing', NEW_LOOP, { text: ' \n' }, 'ModelRefused'],
  ['a filtered answer is a refusal', NEW_LOOP, { finish: 'refused', text: 'no' }, 'ModelRefused'],
  ['an answer that was cut off', NEW_LOOP, { finish: 'length', text: 'I wo' }, 'ModelStuck'],
  ['broken calls again and again', after({ invalid: 4 }), { invalid: 2 }, 'ModelStuck'],
  [
    'the same call again and again',
    after({ repeated: { hashes: 'a', times: 4 } }),
    { calls: [call('a')] },
    'ModelStuck',
  ],
  [
    'another call in between',
    after({ repeated: { hashes: 'b', times: 4 } }),
    { calls: [call('a')] },
    'tools',
  ],
  ['too many turns', after({ turns: 9 }), { calls: [call('a')] }, 'ModelStuck'],
  ['the last turn allowed may be the end', after({ turns: 9 }), { text: 'Done.' }, 'done'],
  ['too many tokens', after({ tokens: 989 }), { calls: [call('a')] }, 'ModelStuck'],
])('%s', (_, state, rest, expected) => {
  const { next } = take(state, answer(rest), bounds)
  expect(next.kind === 'failed' ? next.type : next.kind).toBe(expected)
})

test('where a call has read much, all but the last parts are left out of the next, and stay so', () => {
  const read = (inputTokens: number, parts: number, state: LoopState) =>
    take(state, answer({ usage: { inputTokens, outputTokens: 1 }, transcript: { name: 't', parts } }), bounds)
      .state
  expect(read(499, 20, NEW_LOOP).compacted).toBe(0)
  expect(read(500, 20, NEW_LOOP).compacted).toBe(14)
  expect(read(10, 30, after({ compacted: 14 })).compacted).toBe(14)
  expect(read(600, 30, after({ compacted: 14 })).compacted).toBe(24)
  expect(read(600, 3, NEW_LOOP).compacted).toBe(0)
})

test.each([
  ['nothing was left out yet', 0, 20, 0, 600, 0],
  ['leaving out has helped', 14, 21, 0, 499, 0],
  ['it has not', 14, 21, 0, 500, 15],
  ['it has, and may again', 14, 27, 0, 600, 0],
  ['a summary stands there since lately', 17, 24, 15, 600, 0],
  ['a summary has to be made anew', 20, 27, 15, 600, 21],
])(
  'a transcript that is too long is summed up where %s: %j of %j parts',
  (_, compacted, parts, summedUp, inputTokens, expected) => {
    const before = after({ compacted, summedUp })
    const told = answer({ usage: { inputTokens, outputTokens: 1 }, transcript: { name: 't', parts } })
    expect(partsToSumUp(before, take(before, told, bounds).state, told, bounds)).toBe(expected)
  },
)

test('whatever a model answers, its loop ends within its turns', () => {
  const some = fc.record({
    finish: fc.constantFrom('stop', 'tools', 'length', 'refused', 'other'),
    text: fc.constantFrom('', 'words'),
    calls: fc.array(fc.constantFrom('a', 'b').map(call), { maxLength: 2 }),
    invalid: fc.nat(2),
  })
  fc.assert(
    fc.property(fc.infiniteStream(some), (answers) => {
      let state = NEW_LOOP
      for (const rest of answers) {
        const taken = take(state, answer(rest), { ...bounds, maxTokens: undefined })
        state = taken.state
        expect(state.turns).toBeLessThanOrEqual(bounds.maxTurns)
        if (taken.next.kind === 'done' || taken.next.kind === 'failed') return
      }
    }),
  )
})
