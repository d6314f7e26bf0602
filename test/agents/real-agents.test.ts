import type { ChatCompletionRequest } from '@copilotkit/aimock'
import { Template } from 'e2b'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secret } from '../../src/index.ts'
import { allEvents, end, eventOf, type Holdfast, startHoldfast } from '../support/holdfast.ts'
import type { AgentPreset } from '../../src/contract/agents/index.ts'
import { type LlmEndpoint, startLlmEndpoint } from '../../src/demo/llm-endpoint.ts'

/** Later versions of Claude Code want Node 22. */
const PACKAGES = ['opencode-ai@1.18.33', '@openai/codex@0.169.0', '@anthropic-ai/claude-code@2.1.100']
const PYTHON_PACKAGES = ['aider-chat==0.86.2', 'mini-swe-agent==2.4.6']
const TEMPLATE = 'agents'
/** Debian's Python takes packages in an environment of their own only. */
const INSTALL_PYTHON = `python3 -m venv /opt/agents && /opt/agents/bin/pip install -q ${PYTHON_PACKAGES.join(' ')} && ln -s /opt/agents/bin/aider /opt/agents/bin/mini /usr/local/bin/`

let holdfast: Holdfast
let endpoint: LlmEndpoint
const gate = new EventTarget()
/** How many answers are yet to come before one waits for the gate; Infinity for none. */
let until = Infinity
/** Whether it is over its limit. */
let away = false

beforeAll(async () => {
  endpoint = await startLlmEndpoint(async (request) => {
    if (away) return { error: { message: 'Rate limit reached', type: 'rate_limit_error' }, status: 429 }
    const next = answerTo(request)
    if ('usage' in next && until-- === 0) {
      const opened = once(gate, 'open')
      gate.dispatchEvent(new Event('asked'))
      await opened
    }
    return next
  })
  holdfast = await startHoldfast({
    sandboxArgs: ['--allow-host-loopback', `localhost:${endpoint.port}`],
    // Each has all the agents on its disk, 2 GB of files.
    forgetKilled: true,
  })
  const { connection } = holdfast.sandboxes
  const template = Template()
    .fromBaseImage()
    .npmInstall(PACKAGES, { g: true })
    .runCmd(INSTALL_PYTHON, { user: 'root' })
  await Template.build(template, TEMPLATE, {
    ...connection,
    onBuildLogs: ({ message }) => console.error(message),
  })
  await startWorker()
})
afterAll(async () => {
  await holdfast.stop()
  await endpoint.stop()
})

const startWorker = () => holdfast.startWorker({ HOLDFAST_SECRET_MODEL_KEY: 'sk-the-key-of-the-model' })

/** Of each answer, in the words of each protocol. */
const USAGE = { prompt_tokens: 100, completion_tokens: 10, input_tokens: 100, output_tokens: 10 }

/** By which mini-swe-agent is told that it has ended. */
const MINI_END = 'COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT'

/** The same model for Aider, which wants its edits as text. */
function edits(messages: ChatCompletionRequest['messages']) {
  const asked = JSON.stringify(messages.findLast(({ role }) => role === 'user'))
  const blocks = asked.includes('Say so')
    ? [edit('CHANGES.md', '', 'Rounding carries.\n')]
    : [
        edit(
          'src/format.js',
          '  let rest = milliseconds\n  for (let i = first; i <= last; i++) {\n',
          '  const precision = UNITS[last].size\n  let rest = Math.round(milliseconds / precision) * precision\n  for (let i = 0; i <= last; i++) {\n',
        ),
        edit(
          'src/format.js',
          '    const count = i === last ? Math.round(rest / size) : Math.floor(rest / size)\n',
          '    const count = Math.floor(rest / size)\n',
        ),
      ]
  return { content: `Done: the rounding carries.\n\n${blocks.join('\n')}`, usage: USAGE }
}

const edit = (file: string, from: string, to: string): string =>
  `${file}\n\`\`\`\n<<<<<<< SEARCH\n${from}=======\n${to}>>>>>>> REPLACE\n\`\`\`\n`

/** A model that mends the demo project by a shell command in its first turn, and adds a file in its second. */
function answerTo({ messages, tools = [] }: ChatCompletionRequest) {
  const all = JSON.stringify(messages)
  if (all.includes('*SEARCH/REPLACE*')) return edits(messages)
  const names = tools.map(({ function: { name } }) => name)
  // OpenCode asks for a title, without tools.
  if (names.length === 0) return { content: 'Mend the rounding' }
  const since = messages.slice(messages.findLastIndex(({ role }) => role === 'user'))
  const asked = JSON.stringify(since[0]?.content)
  const isDone = since.some(({ role }) => role === 'tool')
  if (isDone && !all.includes(MINI_END)) return { content: 'Done: the rounding carries.', usage: USAGE }
  const command = isDone
    ? `echo ${MINI_END}`
    : asked.includes('Say so')
      ? "echo 'Rounding carries.' >CHANGES.md"
      : `sed -i 's/let rest = milliseconds$/const precision = UNITS[last].size\\n  let rest = Math.round(milliseconds \\/ precision) * precision/; s/let i = first;/let i = 0;/; s/i === last ? Math.round(rest \\/ size) : Math.floor(rest \\/ size)/Math.floor(rest \\/ size)/' src/format.js`
  const shell = names.find((name) =>
    ['bash', 'Bash', 'shell', 'shell_command', 'exec_command'].includes(name),
  )!
  const input = {
    bash: { command, description: 'mend' },
    Bash: { command, description: 'mend' },
    shell: { command: ['bash', '-c', command] },
    shell_command: { command },
    exec_command: { cmd: command },
  }[shell]
  return {
    content: 'I mend it.',
    usage: USAGE,
    toolCalls: [{ name: shell, arguments: JSON.stringify(input) }],
  }
}

const specOf = (agent: AgentPreset, { review, idleTimeout }: { review?: object; idleTimeout: string }) =>
  holdfast.spec({
    steps: [
      {
        agent,
        prompt: 'The test of rounding fails. Mend format().',
        model: 'gpt-5.2',
        baseUrl: agent === 'claude' ? new URL(endpoint.baseUrl).origin : endpoint.baseUrl,
        key: secret('MODEL_KEY'),
        idleTimeout,
      },
    ],
    checks: [{ run: 'npm test' }],
    ...(review && { review }),
    commit: { message: 'Mend the rounding' },
    sandbox: { template: TEMPLATE },
  })

test.each([
  ['opencode', {}],
  ['codex', {}],
  ['claude', {}],
  // It answers with edits, and calls no tools. Where an answer names a file that it doesn't have, it asks once more with it.
  ['aider', { requests: 3, toolCalls: 0, used: [2, 1] }],
  // It tells what it does in text only, and remembers nothing: it is told what was asked before.
  ['mini-swe-agent', { resumed: false, toolCalls: 0, used: [0, 0] }],
] as const)(
  '%s mends a failing test with its worker killed meanwhile, makes the change that the review asks for in the same conversation in another sandbox, and both are pushed',
  async (agent, its) => {
    const first = endpoint.asked.length
    until = 0
    const asked = once(gate, 'asked')
    const spec = await specOf(agent, { review: {}, idleTimeout: '1m' })
    const job = await holdfast.jobs.submit(spec)
    await asked
    await end(holdfast.workers.at(-1)!, 'SIGKILL')
    await startWorker()
    until = Infinity
    gate.dispatchEvent(new Event('open'))
    const { seq } = await eventOf(job, 'reviewRequested')
    const sandboxes = await holdfast.connectSandboxes(job.id)
    expect(await Promise.all(sandboxes.map((sandbox) => sandbox.kill()))).toEqual([true])
    await job.requestChanges({ by: 'a reviewer', feedback: 'Say so in CHANGES.md' })
    await eventOf(job, 'reviewRequested', seq + 1)
    await job.approve({ by: 'a reviewer' })
    const { commit } = await job.result()
    const repository = holdfast.repository(spec.repo.url)
    expect(await repository.show(`${commit}:CHANGES.md`)).toBe('Rounding carries.')
    expect(await repository.show(`${commit}:src/format.js`)).toContain('precision')
    const turns = (await allEvents(job)).filter((event) => event.type === 'agentTurn')
    expect((await allEvents(job)).filter((event) => event.type === 'conversationLost')).toEqual([])
    const { toolCalls, resumed, requests, used } = {
      toolCalls: 1,
      resumed: true,
      requests: 4,
      // Two answers a turn, whether the agent counts the turn or all of its conversation.
      used: [2, 2],
      ...its,
    }
    const [one, two] = used.map((n) => ({ inputTokens: 100 * n, outputTokens: 10 * n }))
    expect(turns).toMatchObject([
      { resumed: false, toolCalls, usage: one },
      { resumed, toolCalls, usage: two, conversation: turns[0]?.conversation },
    ])
    expect(turns[0]?.message).toContain(agent === 'mini-swe-agent' ? MINI_END : 'Done: the rounding carries.')
    expect(JSON.stringify(endpoint.asked.at(-1))).toContain('The test of rounding fails')
    // Nothing was asked twice: of each turn the call of the tool and the answer, and OpenCode's title.
    const titles = endpoint.asked.slice(first).filter(({ tools = [] }) => tools.length === 0)
    expect(endpoint.asked.length - first - (agent === 'opencode' ? titles.length : 0)).toBe(requests)
  },
)

test('claude is ended where it has spent what it may', async () => {
  const spec = await specOf('claude', { idleTimeout: '1m' })
  const [step] = spec.steps
  const job = await holdfast.jobs.submit({
    ...spec,
    steps: [{ ...step!, maxCostUsd: 1e-6 }],
  })
  await expect(job.result()).rejects.toMatchObject({
    type: 'AgentStuck',
    message: expect.stringContaining('has cost'),
  })
})

test.each(['opencode', 'codex', 'claude', 'aider'] as const)(
  '%s goes on in its conversation when a vendor that was over its limit for long answers again',
  { timeout: 500_000 },
  async (agent) => {
    until = Infinity
    away = true
    const job = await holdfast.jobs.submit(await specOf(agent, { idleTimeout: '10m' }))
    const { failure } = await eventOf(job, 'outage')
    expect(failure.type).toBe('ModelUnavailable')
    away = false
    await job.result()
    const turns = (await allEvents(job)).filter((event) => event.type === 'agentTurn')
    expect(turns).toMatchObject([{ unavailable: true }, { resumed: true }])
    expect(JSON.stringify(endpoint.asked.at(-1))).toContain('The test of rounding fails')
  },
)
