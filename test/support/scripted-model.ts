import type { ChatCompletionRequest } from '@copilotkit/aimock'
import type { startLlmEndpoint } from '../../src/demo/llm-endpoint.ts'

type Answering = Parameters<typeof startLlmEndpoint>[0]

/** An answer that calls a tool. */
export const use = (name: string, input: object, id = `call-${name}-${JSON.stringify(input).length}`) => ({
  toolCalls: [{ id, name, arguments: JSON.stringify(input) }],
})

/** How many answers the conversation has had. */
export const turnOf = ({ messages }: ChatCompletionRequest): number =>
  messages.filter(({ role }) => role === 'assistant').length

/** Its model answers these in order, then with words. */
export const script =
  (...answers: object[]): Answering =>
  (request) =>
    answers[turnOf(request)] ?? { content: 'It is done.' }
