import type { ChatCompletionRequest } from '@copilotkit/aimock'
import proto from '@temporalio/proto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secret } from '../../src/index.ts'
import { fetchRuns } from '../support/histories.ts'
import { end, type Holdfast, startHoldfast, untilPrinted } from '../support/holdfast.ts'
import { type LlmEndpoint, startLlmEndpoint } from '../../src/demo/llm-endpoint.ts'

const { History } = proto.temporal.api.history.v1

let holdfast: Holdfast
let answer: Parameters<typeof startLlmEndpoint>[0]
let endpoint: LlmEndpoint
beforeAll(async () => {
  endpoint = await startLlmEndpoint((request, n) => answer(request, n))
  holdfast = await startHoldfast()
  await startWorker()
})
afterAll(async () => {
  await holdfast.stop()
  await endpoint.stop()
})

const startWorker = () => holdfast.startWorker({ HOLDFAST_SECRET_MODEL_KEY: 'sk-the-key-of-the-model' })

const specOf = () =>
  holdfast.spec({
    steps: [
      {
        llm: { model: 'gpt', baseUrl: endpoint.baseUrl, key: secret('MODEL_KEY') },
        prompt: 'Work',
        maxTurns: 300,
      },
    ],
  })

const turnOf = ({ messages }: ChatCompletionRequest): number =>
  messages.filter(({ role }) => role === 'assistant').length
const run = (turn: number, command: string) => ({
  toolCalls: [{ id: `call-${turn}`, name: 'run', arguments: JSON.stringify({ command }) }],
})

test(
  'with a worker killed between each two of ten calls, no model is asked twice, and no tool is used twice',
  { timeout: 400_000 },
  async () => {
    answer = (request) => {
      const turn = turnOf(request)
      if (turn === 10) return { content: 'Done.' }
      return run(
        turn,
        `echo ran >>COUNT; echo at ${turn}, waiting; until [ -e ../go-${turn} ]; do sleep 0.1; done`,
      )
    }
    const spec = await specOf()
    const job = await holdfast.jobs.submit(spec)
    for (let turn = 0; turn < 10; turn++) {
      await untilPrinted(job, `at ${turn},`)
      await end(holdfast.workers.at(-1)!, 'SIGKILL')
      await startWorker()
      const [sandbox] = await holdfast.connectSandboxes(job.id)
      await sandbox!.files.write(`/home/user/go-${turn}`, '')
    }
    const { commit } = await job.result()
    expect(endpoint.asked.map(turnOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    // Each command has counted its runs.
    expect(await holdfast.repository(spec.repo.url).show(`${commit}:COUNT`)).toBe(
      Array(10).fill('ran').join('\n'),
    )
  },
)

test('200 turns, of which every fifth writes and each prints 9 KB, leave a history under 1 MB', async () => {
  answer = (request) => {
    const turn = turnOf(request)
    if (turn === 200) return { content: 'Done.' }
    const command = `seq 1 2000; ${turn % 5 === 0 ? `echo ${turn} >>a` : ':'}`
    return run(turn, command)
  }
  const job = await holdfast.jobs.submit(await specOf())
  await job.result()
  const histories = (await fetchRuns(holdfast.workflows, job.id)).map(({ history }) => history)
  const bytes = histories.reduce((sum, history) => sum + History.encode(history).finish().length, 0)
  const events = histories.reduce((sum, history) => sum + (history.events?.length ?? 0), 0)
  console.error(`${bytes} bytes, ${events} events, ${histories.length} runs`)
  expect(bytes).toBeLessThan(1024 * 1024)
})
