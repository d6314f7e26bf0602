import type { ModelMessage } from 'ai'
import type { ToolCall, ToolOutcome, Transcript } from '../../contract/llm.ts'
import type { ToolName } from '../../contract/llm-step.ts'
import type { CommandResult } from '../../contract/job.ts'
import { outputText } from '../../contract/output.ts'
import { failure } from '../../contract/failure.ts'
import { REPOSITORY, type ActivityDeps } from '../lib/deps.ts'
import { runDurably } from '../lib/durable-command.ts'
import { gitApply, putFile } from '../lib/repository-files.ts'
import { runGit } from '../lib/git-command.ts'
import { STATE, TREE } from '../lib/git-scripts.ts'
import type { SandboxTarget } from '../lib/target.ts'
import { TOOLS, type ToolInput } from '../lib/tools.ts'
import { readPart, writeOutcome } from '../lib/transcript.ts'

export interface UseToolInput extends SandboxTarget {
  /** Names the command that it may run, within the job. */
  key: string
  /** Whose last part has the call. */
  transcript: Transcript
  call: Pick<ToolCall, 'id' | 'tool' | 'summary'>
  baseCommit: string
  /** The work as it was last saved: HEAD, tree and index. Undefined where the tool only reads. */
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
    await writeOutcome(deps, transcript.name, call.id, text)
    const ok = done.exitCode === 0
    const unchanged = await isSaved(deps, input)
    return {
      ok,
      unchanged,
      summary: ok ? call.summary : `${call.summary} (exit ${done.exitCode})`.slice(0, 200),
    }
  },

  /** Keeps for the model that a call was not done. A second attempt writes the same. */
  async refuseTool({
    transcript,
    call,
    why,
  }: Pick<UseToolInput, 'transcript' | 'call'> & { why: string }): Promise<void> {
    await writeOutcome(deps, transcript.name, call.id, why)
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
    write: ({ path, content }) => putFile(deps, target, { path, content }),
    patch: ({ patch }) => gitApply(deps, target, { patch, patchId: `tool-${key}` }),
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

async function inputOf(
  deps: ActivityDeps,
  { name, parts }: Transcript,
  { id, tool }: UseToolInput['call'],
): Promise<unknown> {
  const { said } = await readPart(deps, name, parts - 1)
  const call = said.flatMap(callsIn).find(({ toolCallId }) => toolCallId === id)
  if (!call) throw failure('InternalError', `the transcript has no call ${id}`)
  return TOOLS[tool].input.parse(call.input)
}

const callsIn = ({ role, content }: ModelMessage) =>
  role === 'assistant' && typeof content !== 'string'
    ? content.filter((part) => part.type === 'tool-call')
    : []

function textOf({ exitCode, timedOut, stdout, stderr }: CommandResult): string {
  const output = [outputText(stdout), outputText(stderr)].filter((part) => part.trim()).join('\n')
  const cut =
    output.length > MAX_OUTPUT
      ? `${output.slice(0, MAX_OUTPUT / 3)}\n…\n${output.slice((-MAX_OUTPUT * 2) / 3)}`
      : output
  const end = timedOut ? 'it ran into its timeout' : exitCode === 0 ? '' : `exit code ${exitCode}`
  return [end, cut].filter(Boolean).join('\n') || 'done, without output'
}
