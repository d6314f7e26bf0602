import { type AgentCli, type AgentEvent, edits, words } from './agent.ts'
import { vendorErrors } from './litellm.ts'

/** Its history is a file in the repository's folder, which belongs to no commit; that is its conversation. */
const HISTORY = '.aider.chat.history.md'

export const aider: AgentCli = {
  state: [`~/${HISTORY}`],
  program: 'aider',
  install: 'pip install aider-chat',
  keyVariable: 'OPENAI_API_KEY',
  host: 'https://api.openai.com',
  keyHeader: 'Authorization',
  command: ({ conversation, model, baseUrl }) => ({
    // Its cache of the repository's names lies in the repository, and belongs to no commit.
    line: `echo '.aider*' >>"$(git rev-parse --git-path info/exclude)"; aider --message-file "$HOLDFAST_PROMPT" ${words(
      '--yes-always',
      '--no-auto-commits',
      '--no-dirty-commits',
      '--no-gitignore',
      '--no-check-update',
      '--no-show-release-notes',
      '--no-show-model-warnings',
      '--no-analytics',
      // Of the prompt: each would be fetched, by a browser that it installs.
      '--no-detect-urls',
      '--no-pretty',
      '--no-stream',
      '--chat-history-file',
      `../${HISTORY}`,
      '--input-history-file',
      '/dev/null',
      // The weak one sums up a long history; an endpoint of one's own may have one model only.
      ...(model ? ['--model', baseUrl ? `openai/${model}` : model] : []),
      ...(model && baseUrl ? ['--weak-model', `openai/${model}`] : []),
      conversation !== null && '--restore-chat-history',
    )}`,
    envs: { ...(baseUrl && { OPENAI_API_BASE: baseUrl }) },
  }),
  read: (line) => [
    // One repository, one history: its file is all the id there is.
    { type: 'conversation', id: HISTORY },
    { type: 'line', text: line },
    ...edits([EDIT.exec(line)?.[1]]),
    // It tries again for a minute or so, and then ends as if all were well.
    ...vendorErrors(line),
    ...usage(line),
  ],
}

const EDIT = /^Applied edit to (.+)$/

const USAGE = /^Tokens: ([\d.,]+)([kM]?) sent,.* ([\d.,]+)([kM]?) received\.(?: Cost: \$([\d.,]+) message)?/

/** As it tells people, rounded: `Tokens: 2.3k sent, 10 received. Cost: $0.02 message, $0.03 session.` */
function usage(line: string): AgentEvent[] {
  const [, sent, sentUnit, received, receivedUnit, cost] = USAGE.exec(line) ?? []
  if (!sent || !received) return []
  return [
    {
      type: 'usage',
      inputTokens: count(sent, sentUnit),
      outputTokens: count(received, receivedUnit),
      costUsd: count(cost ?? '0', ''),
    },
  ]
}

const count = (digits: string, unit: string | undefined): number =>
  (Number(digits.replaceAll(',', '')) || 0) * (unit === 'k' ? 1_000 : unit === 'M' ? 1_000_000 : 1)
