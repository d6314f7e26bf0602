import { type ChatCompletionRequest } from '@copilotkit/aimock'

/**
 * The smallest coding agent there can be, for sandboxes: it sends the conversation to an endpoint of OpenAI's protocol, runs
 * the shell text that comes back, and keeps the conversation in its home. In POSIX sh, curl and Node.
 */
const SOURCE = `#!/bin/sh
id=\${HOLDFAST_CONVERSATION:-c$$}; home=$HOME/.small-agent; mkdir -p "$home"; file=$home/$id
printf '{"type":"conversation","id":"%s"}\\n' "$id"
node -e 'const f = require("fs"); const [file, text] = process.argv.slice(1); const old = f.existsSync(file) ? JSON.parse(f.readFileSync(file)) : []; f.writeFileSync(file, JSON.stringify([...old, { role: "user", content: text }]))' "$file" "$(cat)"
node -e 'process.stdout.write(JSON.stringify({ model: process.argv[2], messages: JSON.parse(require("fs").readFileSync(process.argv[1])) }))' "$file" "$HOLDFAST_AGENT_MODEL" >"$file.request"
curl --silent --show-error --fail "$HOLDFAST_AGENT_BASE_URL/chat/completions" -H "authorization: Bearer $HOLDFAST_AGENT_KEY" -H 'content-type: application/json' --data-binary "@$file.request" >"$file.answer" || { echo '{"type":"error","message":"the endpoint did not answer","unavailable":true}'; exit 1; }
script=$(node -e 'const f = require("fs"); const [file] = process.argv.slice(1); const { choices, usage } = JSON.parse(f.readFileSync(file + ".answer")); const { content } = choices[0].message; f.writeFileSync(file, JSON.stringify([...JSON.parse(f.readFileSync(file)), { role: "assistant", content }])); f.writeFileSync(file + ".usage", JSON.stringify({ type: "usage", inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens }) + "\\n"); process.stdout.write(content)' "$file")
cat "$file.usage"
echo '{"type":"toolCall","tool":"sh","input":"the answer"}'
echo turn >>"$home/turns"
sh -c "$script" && echo '{"type":"message","text":"It is done."}'
`

/** Installs it in a sandbox, as a step of a job. */
export const installSmallAgent = {
  run: `cat >"$HOME/small-agent.sh" <<'AGENT'\n${SOURCE}AGENT\nchmod +x "$HOME/small-agent.sh"`,
  name: 'install the agent',
  rerun: 'always',
} as const

const LINE = '"$HOME/small-agent.sh"'
export const smallAgent = { run: LINE, resume: LINE }

/** Everything that was said to the model, as one text. */
export const spoken = ({ messages }: ChatCompletionRequest): string =>
  messages.map(({ role, content }) => `${role}: ${JSON.stringify(content)}`).join('\n')
