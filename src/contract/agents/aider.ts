import { type AgentCli, words } from './agent.ts'

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
    line: `aider --message-file "$HOLDFAST_PROMPT" ${words(
      '--yes-always',
      '--no-auto-commits',
      '--no-gitignore',
      '--no-check-update',
      '--no-pretty',
      '--no-stream',
      '--chat-history-file',
      `../${HISTORY}`,
      '--input-history-file',
      '/dev/null',
      ...(model ? ['--model', baseUrl ? `openai/${model}` : model] : []),
      conversation !== null && '--restore-chat-history',
    )}`,
    envs: { ...(baseUrl && { OPENAI_API_BASE: baseUrl }) },
  }),
  read: (line) => [
    // One repository, one history: its file is all the id there is.
    { type: 'conversation', id: HISTORY },
    { type: 'line', text: line },
  ],
}
