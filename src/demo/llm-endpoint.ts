import { type ChatCompletionRequest, type Fixture, LLMock } from '@copilotkit/aimock'

type Answer = Exclude<Fixture['response'], (...args: never[]) => unknown>

/** An endpoint of a model's vendor, with scripted answers and the vendors' real protocols. */
export interface LlmEndpoint {
  /** With `/v1` behind it, as OpenAI's clients want it. */
  baseUrl: string
  port: number
  /** What was asked, in order; requests that were refused are left out. */
  asked: ChatCompletionRequest[]
  /** Of each request; the values of those that usually bear a key are left out. */
  headers(): Record<string, string>[]
  stop(): Promise<void>
}

/** Starts one on loopback, on a free port unless one is named. @param answer called for each request, counted from 0 */
export async function startLlmEndpoint(
  answer: (request: ChatCompletionRequest, n: number) => Answer | Promise<Answer>,
  port = 0,
): Promise<LlmEndpoint> {
  const mock = new LLMock({ port })
  const asked: ChatCompletionRequest[] = []
  mock.on({ predicate: () => true }, (request) => answer(request, asked.push(request) - 1))
  await mock.start()
  return {
    baseUrl: `http://localhost:${mock.port}/v1`,
    port: mock.port,
    asked,
    headers: () => mock.getRequests().map(({ headers }) => headers),
    stop: () => mock.stop(),
  }
}
