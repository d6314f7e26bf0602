import type { CallToolResult } from '@ai-sdk/mcp'
import type { ModelMessage } from 'ai'
import type { ToolCall, ToolOutcome, Transcript } from '../../contract/llm.ts'
import type { ToolName } from '../../contract/llm-step.ts'
import type { CommandResult } from '../../contract/job.ts'
import { cutMiddle, outputText } from '../../contract/output.ts'
import { failure } from '../../contract/failure.ts'
import { REPOSITORY, type ActivityDeps } from '../lib/deps.ts'
import { runDurably } from '../lib/durable-command.ts'
import { gitApply, putFile } from '../lib/repository-files.ts'
import { whileBeating } from '../lib/heartbeat.ts'
import { runGit } from '../lib/git-command.ts'
import { STATE, TREE } from '../lib/git-scripts.ts'
import type { SandboxTarget } from '../lib/target.ts'
import { remoteName, textOfResult, withServer } from '../lib/mcp.ts'
import { isToolName, TOOLS, type ToolInput } from '../lib/tools.ts'
import { noteBegun, readPart, writeOutcome } from '../lib/transcript.ts'

export interface UseToolInput extends SandboxTarget {
  /** Names the command that it may run, within the job. */
  key: string
  /** Whose last part has the call. */
  transcript: Transcript
  call: Pick<ToolCall, 'id' | 'tool' | 'summary'>
  baseCommit: string
  /** The work as it was last saved: HEAD, tree, index and refs. Undefined where the tool only reads. */
  saved?: string
  /** Of a command, in ms. */
  timeoutMs: number
}

/** Of what a model reads of a tool: beginning and end. */
const MAX_OUTPUT = 24_000

export const toolActivities = (deps: ActivityDeps) => ({
  /**
   * Does one call of a tool, as the transcript has it, and keeps what came of it for the model. A command is durable: a
   * second attempt attaches to it. The other tools find what is done, or do the same again.
   *
   * @throws `OutcomeUnknown`, and what the sandbox may
   */
  async useTool(input: UseToolInput): Promise<ToolOutcome> {
    const { transcript, call } = input
    const done = await use(deps, input, await inputOf(deps, transcript, call))
    const text = deps.secrets.redact(textOf(done))
    await writeOutcome(deps, transcript, call.id, text)
    const ok = done.exitCode === 0
    const unchanged = await isSaved(deps, input)
    return {
      ok,
      unchanged,
      summary: ok ? call.summary : `${call.summary} (exit ${done.exitCode})`.slice(0, 200),
    }
  },

  /**
   * Does one call of an MCP server's tool. Such a call can't be found again: where an attempt began it and died, the next one
   * tells the model so, and doesn't repeat it. What goes wrong behind the beginning is told to the model too.
   *
   * @throws `ModelUnavailable` where the server can't be opened
   */
  async useRemoteTool(
    input: Pick<UseToolInput, 'transcript' | 'call' | 'timeoutMs'>,
  ): Promise<Omit<ToolOutcome, 'unchanged'>> {
    const { transcript, call } = input
    const { ok, text } = await callRemotely(deps, input)
    await writeOutcome(deps, transcript, call.id, cutMiddle(deps.secrets.redact(text), MAX_OUTPUT))
    return { ok, summary: call.summary }
  },

  /** Keeps for the model that a call was not done. A second attempt writes the same. */
  async refuseTool({
    transcript,
    call,
    why,
  }: Pick<UseToolInput, 'transcript' | 'call'> & { why: string }): Promise<void> {
    await writeOutcome(deps, transcript, call.id, why)
  },
})

function use(
  deps: ActivityDeps,
  { key, transcript, call, baseCommit, timeoutMs, ...target }: UseToolInput,
  input: unknown,
): Promise<CommandResult> {
  const command = (script: string, envs: Record<string, string> = {}) =>
    runDurably(deps, {
      ...target,
      key,
      output: `${transcript.name}-${key}`,
      script,
      envs,
      cwd: REPOSITORY,
      timeoutMs,
    })
  const uses: { [Name in ToolName]: (input: ToolInput<Name>) => Promise<CommandResult> } = {
    run: ({ command: line }) => command(line),
    read: ({ path, from, lines }) =>
      command(
        'awk -v from="$FROM" -v lines="$LINES" \'NR >= from && NR < from + lines { printf "%6d  %s\\n", NR, $0 }\' <"$FILE"',
        {
          FILE: path,
          FROM: String(from),
          LINES: String(lines),
        },
      ),
    write: ({ path, content }) => putFile(deps, { ...target, key }, { path, content }),
    patch: ({ patch }) => gitApply(deps, { ...target, key }, { patch, patchId: `tool-${key}` }),
    list: ({ path = '.' }) =>
      command('git ls-files --cached --others --exclude-standard -- "$FOLDER" | sort -u', { FOLDER: path }),
    search: ({ pattern, path = '.' }) =>
      command(
        'git grep --line-number --extended-regexp --untracked -I -e "$PATTERN" -- "$FOLDER"; code=$?; [ "$code" = 1 ] && echo "nothing found" && exit 0; exit "$code"',
        { PATTERN: pattern, FOLDER: path },
      ),
    diff: () =>
      runGit(
        deps,
        { ...target, key },
        {
          envs: { BASE: baseCommit },
          script: `${TREE}\ngit diff --no-ext-diff --no-textconv "$BASE" "$tree"`,
        },
      ),
  }
  if (!isToolName(call.tool)) throw failure('InternalError', `there is no tool ${call.tool}`)
  return uses[call.tool](input as never)
}

/** Commands mostly look, and then there is nothing to save. */
async function isSaved(deps: ActivityDeps, { saved, key, ...target }: UseToolInput): Promise<boolean> {
  if (saved === undefined) return true
  const { stdout } = await runGit(
    deps,
    { ...target, key: `${key}-saved` },
    { envs: { SAVED: saved }, script: `${TREE}\n[ "${STATE}" != "$SAVED" ] || echo same` },
  )
  return stdout.head.trim() === 'same'
}

async function callRemotely(
  deps: ActivityDeps,
  { transcript, call, timeoutMs }: Pick<UseToolInput, 'transcript' | 'call' | 'timeoutMs'>,
): Promise<{ ok: boolean; text: string }> {
  const { setting } = await readPart(deps, transcript.name, 0)
  const tool = setting?.remote.find((one) => remoteName(one) === call.tool)
  if (!tool) throw failure('InternalError', `the transcript has no tool ${call.tool}`)
  const args = await inputOf(deps, transcript, call)
  return whileBeating(() =>
    withServer(tool.server, deps.secrets, async (client) => {
      if (!(await noteBegun(deps, transcript, call.id)))
        return {
          ok: false,
          text: 'Whether this call was done is not known: who made it died. It was not made again.',
        }
      try {
        const { [tool.name]: ready } = client.toolsFromDefinitions({
          tools: [{ name: tool.name, inputSchema: tool.inputSchema as never }],
        })
        const options = { toolCallId: call.id, messages: [], abortSignal: AbortSignal.timeout(timeoutMs) }
        const result = (await ready!.execute(args, options)) as CallToolResult
        return { ok: !result.isError, text: textOfResult(result) }
      } catch (error) {
        return { ok: false, text: `It failed: ${(error as Error).message}` }
      }
    }),
  )
}

async function inputOf(
  deps: ActivityDeps,
  { name, parts }: Transcript,
  { id, tool }: UseToolInput['call'],
): Promise<unknown> {
  const { said } = await readPart(deps, name, parts - 1)
  const call = said.flatMap(callsIn).find(({ toolCallId }) => toolCallId === id)
  if (!call) throw failure('InternalError', `the transcript has no call ${id}`)
  return isToolName(tool) ? TOOLS[tool].input.parse(call.input) : call.input
}

const callsIn = ({ role, content }: ModelMessage) =>
  role === 'assistant' && typeof content !== 'string'
    ? content.filter((part) => part.type === 'tool-call')
    : []

function textOf({ exitCode, timedOut, stdout, stderr }: CommandResult): string {
  const output = [outputText(stdout), outputText(stderr)].filter((part) => part.trim()).join('\n')
  const end = timedOut ? 'it ran into its timeout' : exitCode === 0 ? '' : `exit code ${exitCode}`
  return [end, cutMiddle(output, MAX_OUTPUT)].filter(Boolean).join('\n') || 'done, without output'
}
