import fc from 'fast-check'
import { expect, test } from 'vitest'
import { agentStep } from '../../src/contract/agent-step.ts'
import { agentCli, AGENT_PRESETS } from '../../src/contract/agents/index.ts'
import { AgentStream } from '../../src/contract/agents/stream.ts'
import { AgentReader, type AgentReport } from '../../src/contract/agents/report.ts'

const turn = { conversation: null, model: undefined, baseUrl: undefined }

test.each([
  ['opencode', turn, `'opencode' 'run' '--format' 'json' '--thinking'`],
  [
    'opencode',
    { conversation: 'ses_1', model: 'openai/gpt', baseUrl: undefined },
    `'opencode' 'run' '--format' 'json' '--thinking' '--model' 'openai/gpt' '--session' 'ses_1'`,
  ],
  [
    'opencode',
    { ...turn, model: 'gpt', baseUrl: 'https://llm.example/v1' },
    `'opencode' 'run' '--format' 'json' '--thinking' '--model' 'holdfast/gpt'`,
  ],
  [
    'codex',
    turn,
    `'codex' 'exec' '--json' '--skip-git-repo-check' '--dangerously-bypass-approvals-and-sandbox' '-'`,
  ],
  [
    'codex',
    { ...turn, conversation: '01a2', model: 'gpt' },
    `'codex' 'exec' 'resume' '--json' '--skip-git-repo-check' '--dangerously-bypass-approvals-and-sandbox' '--model' 'gpt' '01a2' '-'`,
  ],
  [
    'claude',
    { ...turn, conversation: '6f', model: 'opus' },
    `'claude' '--print' '--output-format' 'stream-json' '--verbose' '--dangerously-skip-permissions' '--model' 'opus' '--resume' '6f'`,
  ],
] as const)('%s is called without a person: %j', (agent, how, line) => {
  expect(agentCli(agent).command(how).line).toBe(line)
})

test('whatever a conversation, model or endpoint is called, it stays one word of the command line', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 })
  fc.assert(
    fc.property(fc.constantFrom(...AGENT_PRESETS), text, text, (agent, conversation, model) => {
      const { line } = agentCli(agent).command({ conversation, model, baseUrl: undefined })
      // What is between quotes is text for a shell; outside of them stand only the agent's own words.
      const bare = line.replaceAll(/'[^']*'/g, '').replaceAll(String.raw`\'`, '')
      expect(bare).toMatch(/^[a-zA-Z_ "$();/>-]*$/)
    }),
  )
})

test.each([
  ['~/.agent', true],
  ['~/.local/share/a_b@1+2', true],
  ['~', false],
  ['~/', false],
  ['~/..', false],
  ['~/.a/../../x', false],
  ['/etc/passwd', false],
  ['~/a b', false],
  ['~/-rf', false],
  ['~/$(id)', false],
])('%s as the place of conversations: %s', (path, isOne) => {
  const agent = { run: 'agent', state: [path] }
  expect(agentStep.safeParse({ agent, prompt: 'Go' }).success).toBe(isOne)
})

test('the places of the presets are such places', () => {
  for (const preset of AGENT_PRESETS) {
    const agent = { run: 'agent', state: agentCli(preset).state }
    expect(agentStep.safeParse({ agent, prompt: 'Go' }).error).toBeUndefined()
  }
})

test.each([
  ['Tokens: 100 sent, 10 received.', 100, 10, 0],
  ['Tokens: 2.3k sent, 1.1k cache hit, 10 received. Cost: $0.02 message, $0.03 session.', 2_300, 10, 0.02],
  ['Tokens: 1.5M sent, 12k received.', 1_500_000, 12_000, 0],
])('Aider tells its use for people: %s', (line, inputTokens, outputTokens, costUsd) => {
  const reader = new AgentReader(agentCli('aider'))
  reader.push(line)
  expect(reader.end().usage).toEqual({ inputTokens, outputTokens, costUsd })
})

test('a custom agent goes on by its own line where it has one', () => {
  const custom = agentCli({ run: 'start', resume: 'go on' })
  expect(custom.command(turn)).toEqual({ line: 'start', envs: {} })
  expect(custom.command({ conversation: '7', model: 'm', baseUrl: 'http://x' })).toEqual({
    line: 'go on',
    envs: { HOLDFAST_CONVERSATION: '7', HOLDFAST_AGENT_MODEL: 'm', HOLDFAST_AGENT_BASE_URL: 'http://x' },
  })
  expect(agentCli({ run: 'start' }).command({ ...turn, conversation: '7' }).line).toBe('start')
})

const lines = (...objects: object[]): string =>
  objects.map((object) => `${JSON.stringify(object)}\n`).join('')

/** What each prints: of OpenCode 1.18.33, Codex 0.169.0 and Claude Code 2.1.100 as they were seen. */
const STREAMS: [Parameters<typeof agentCli>[0], string, Partial<AgentReport>][] = [
  [
    'opencode',
    lines(
      { type: 'step_start', sessionID: 'ses_1', part: { type: 'step-start' } },
      { type: 'text', sessionID: 'ses_1', part: { type: 'text', text: 'Let me look' } },
      {
        type: 'tool_use',
        sessionID: 'ses_1',
        part: { tool: 'bash', state: { status: 'completed', input: { command: 'ls' }, title: 'ls' } },
      },
      {
        type: 'step_finish',
        part: {
          tokens: { input: 2579, output: 17, reasoning: 3, cache: { write: 0, read: 100 } },
          cost: 0.25,
        },
      },
      { type: 'text', part: { text: 'done' } },
      { type: 'step_finish', part: { tokens: { input: 1, output: 1 }, cost: 0.25 } },
    ),
    {
      conversation: 'ses_1',
      message: 'done',
      toolCalls: 1,
      usage: { inputTokens: 2680, outputTokens: 21, costUsd: 0.5 },
      last: ['Let me look', 'bash: ls', 'done'],
    },
  ],
  [
    'codex',
    lines(
      { type: 'thread.started', thread_id: '01a2' },
      { type: 'item.completed', item: { type: 'error', message: 'Model metadata not found' } },
      { type: 'item.started', item: { type: 'command_execution', command: 'ls' } },
      { type: 'item.completed', item: { type: 'command_execution', command: 'ls', exit_code: 0 } },
      { type: 'item.completed', item: { type: 'agent_message', text: 'done' } },
      { type: 'turn.completed', usage: { input_tokens: 5, cached_input_tokens: 2, output_tokens: 7 } },
    ),
    {
      conversation: '01a2',
      message: 'done',
      toolCalls: 1,
      error: null,
      usage: { inputTokens: 5, outputTokens: 7, costUsd: 0 },
    },
  ],
  [
    'codex',
    lines({ type: 'turn.failed', error: { message: 'quota exceeded' } }),
    { conversation: null, error: 'quota exceeded' },
  ],
  [
    'claude',
    lines(
      { type: 'system', subtype: 'init', session_id: '6f' },
      {
        type: 'assistant',
        message: {
          content: [
            { type: 'text', text: 'I edit' },
            { type: 'tool_use', name: 'Edit', input: { file_path: 'a' } },
          ],
        },
      },
      {
        type: 'result',
        is_error: false,
        result: 'I edit',
        total_cost_usd: 0.1,
        usage: {
          input_tokens: 3,
          output_tokens: 4,
          cache_read_input_tokens: 5,
          cache_creation_input_tokens: 6,
        },
      },
    ),
    {
      conversation: '6f',
      message: 'I edit',
      toolCalls: 1,
      usage: { inputTokens: 14, outputTokens: 4, costUsd: 0.1 },
      last: ['I edit', 'Edit: {"file_path":"a"}'],
    },
  ],
  ['aider', 'one\ntwo', { conversation: '.aider.chat.history.md', message: 'one\ntwo', last: [] }],
  ['mini-swe-agent', 'all done\n', { conversation: null, message: 'all done' }],
  [{ run: 'x' }, 'hello\n{"type":"other"}\n', { message: 'hello\n{"type":"other"}' }],
]

test.each(STREAMS)('the stream of %j is read, wherever it is cut', (agent, stream, expected) => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), { maxLength: 5 }), (cuts) => {
      const reader = new AgentReader(agentCli(agent))
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length]
      places.slice(1).forEach((end, index) => reader.push(stream.slice(places[index], end)))
      expect(reader.end()).toMatchObject(expected)
    }),
    { numRuns: 30 },
  )
})

test('whatever an agent prints, its report is bounded and reading it never fails', () => {
  const json = fc.json().map((text) => text.replaceAll('\n', ' '))
  const event = fc
    .record({
      type: fc.constantFrom(
        'text',
        'tool_use',
        'step_finish',
        'error',
        'item.completed',
        'assistant',
        'result',
        'usage',
      ),
      part: fc.jsonValue(),
      item: fc.jsonValue(),
      message: fc.jsonValue(),
      usage: fc.jsonValue(),
      error: fc.jsonValue(),
    })
    .map((object) => JSON.stringify(object))
  const line = fc.oneof(fc.string(), json, event, fc.constant('x'.repeat(10_000)))
  fc.assert(
    fc.property(fc.constantFrom(...AGENT_PRESETS), fc.array(line, { maxLength: 60 }), (agent, all) => {
      const reader = new AgentReader(agentCli(agent))
      reader.push(all.join('\n'))
      expect(JSON.stringify(reader.end()).length).toBeLessThan(60_000)
    }),
  )
})

test.each([
  [
    'opencode',
    [
      { type: 'reasoning', part: { text: 'hm' } },
      { type: 'tool_use', part: { tool: 'edit', state: { title: 'a', input: { filePath: '/w/a' } } } },
      {
        type: 'tool_use',
        part: {
          tool: 'apply_patch',
          state: {
            title: 'b',
            input: { patchText: '*** Begin Patch\n*** Update File: b\n@@\n*** Add File: c\n' },
          },
        },
      },
    ],
    ['hm', '/w/a', 'b', 'c'],
  ],
  [
    'codex',
    [
      { type: 'item.completed', item: { type: 'reasoning', text: 'hm' } },
      {
        type: 'item.completed',
        item: { type: 'file_change', changes: [{ path: 'a', kind: 'add' }, { path: 'b' }] },
      },
    ],
    ['hm', 'a', 'b'],
  ],
  [
    'claude',
    [
      { type: 'assistant', message: { content: [{ type: 'thinking', thinking: 'hm' }] } },
      {
        type: 'assistant',
        message: { content: [{ type: 'tool_use', name: 'Write', input: { file_path: 'a' } }] },
      },
      {
        type: 'assistant',
        message: { content: [{ type: 'tool_use', name: 'Read', input: { file_path: 'b' } }] },
      },
    ],
    ['hm', 'a'],
  ],
  ['aider', ['Applied edit to src/a b.js'], ['src/a b.js']],
  [
    { run: 'x' },
    [
      { type: 'thought', text: 'hm' },
      { type: 'edit', path: 'a' },
    ],
    ['hm', 'a'],
  ],
] as const)('what %j thinks and edits is told', (agent, all, expected) => {
  const stream = new AgentStream(agentCli(agent))
  const events = all.flatMap((line) =>
    stream.push(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`),
  )
  expect(
    events.flatMap((event) =>
      event.type === 'thought' ? [event.text] : event.type === 'edit' ? [event.path] : [],
    ),
  ).toEqual(expected)
})

const error = 'API Error: 503 {"error":{"message":"The server is overloaded"}}'
const litellm = 'litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit \nreached\n'

/** As they were seen with an endpoint that answers 503 or 429, or not at all. */
test.each([
  [
    'opencode',
    {
      type: 'error',
      error: { name: 'APIError', data: { message: 'Cannot connect to API', isRetryable: true } },
    },
    true,
  ],
  [
    'opencode',
    {
      type: 'error',
      error: { name: 'APIError', data: { message: 'bad key', statusCode: 401, isRetryable: false } },
    },
    false,
  ],
  [
    'codex',
    { type: 'turn.failed', error: { message: 'exceeded retry limit, last status: 429 Too Many Requests' } },
    true,
  ],
  [
    'codex',
    {
      type: 'turn.failed',
      error: { message: 'unexpected status 503 Service Unavailable: busy, url: http://x' },
    },
    true,
  ],
  [
    'codex',
    {
      type: 'error',
      message: 'Reconnecting... waiting for network (Connection failed: error sending request)',
    },
    true,
  ],
  [
    'codex',
    { type: 'turn.failed', error: { message: 'unexpected status 401 Unauthorized: bad key' } },
    false,
  ],
  ['claude', { type: 'result', is_error: true, result: error }, true],
  [
    'claude',
    {
      type: 'result',
      is_error: true,
      result: 'API Error: Unable to connect to API. Check your internet connection',
    },
    true,
  ],
  ['claude', { type: 'result', is_error: true, result: 'Invalid API key' }, false],
  ['aider', `${litellm}The API provider has rate limited you.\n`, true],
  ['aider', `${litellm}Done.\nTokens: 100 sent, 10 received.\n`, false],
  ['mini-swe-agent', litellm, true],
  [{ run: 'x' }, { type: 'error', message: 'busy', unavailable: true }, true],
  [{ run: 'x' }, { type: 'error', message: 'no' }, false],
] as const)('that the vendor of %j is away is told by its stream: %j', (agent, said, unavailable) => {
  const reader = new AgentReader(agentCli(agent))
  reader.push(typeof said === 'string' ? said : lines(said))
  expect(reader.end().unavailable ?? false).toBe(unavailable)
})

test('a vendor that has answered since is not away', () => {
  const reader = new AgentReader(agentCli({ run: 'x' }))
  reader.push(lines({ type: 'error', message: 'busy', unavailable: true }, { type: 'message', text: 'Done' }))
  expect(reader.end()).toMatchObject({ error: 'busy', unavailable: false })
})

test('a line of many megabytes is left out, and those around it are read', () => {
  const stream = new AgentStream(agentCli({ run: 'x' }))
  const events = ['one\n', ...Array<string>(80).fill('x'.repeat(65_536)), '\ntwo\n'].flatMap((text) =>
    stream.push(text),
  )
  expect(events).toEqual([
    { type: 'line', text: 'one' },
    { type: 'line', text: 'two' },
  ])
})

test('secrets are masked before a text is cut', () => {
  const reader = new AgentReader(agentCli({ run: 'x' }), (text) => text.replaceAll('hush', '***'))
  reader.push(`${JSON.stringify({ type: 'toolCall', tool: 'sh', input: `${'x'.repeat(192)}hush` })}\n`)
  expect(reader.end().last).toEqual([`sh: ${'x'.repeat(192)}***`])
})
