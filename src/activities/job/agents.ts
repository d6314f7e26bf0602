import type { AgentStep } from '../../contract/agent-step.ts'
import { type AgentCli, keyHeaders, quote } from '../../contract/agents/agent.ts'
import { agentCli } from '../../contract/agents/index.ts'
import { AgentReader, type AgentReport } from '../../contract/agents/report.ts'
import { priced } from '../../contract/cost.ts'
import type { FailureType } from '../../contract/failures.ts'
import type { CommandResult } from '../../contract/job.ts'
import { outputText } from '../../contract/output.ts'
import { REPOSITORY, type ActivityDeps } from '../lib/deps.ts'
import { beforeBegin, connectFirst, currentCommandId, runDurably } from '../lib/durable-command.ts'
import { mapped } from '../lib/e2b.ts'
import { type Credential, type SandboxEgress, withCredential } from '../lib/egress-headers.ts'
import type { Stopped } from '../lib/follower.ts'
import { commandFolder, RUNNER_HOME } from '../lib/runner.ts'
import type { SandboxTarget } from '../lib/target.ts'

export interface RunAgentInput extends SandboxTarget {
  /** Names the turn within the job: another activity with the same key attaches to it. */
  key: string
  /** Under which its event stream is kept. */
  output: string
  step: Omit<AgentStep, 'prompt'>
  prompt: string
  /** To go on with. */
  conversation: string | null
  egress?: SandboxEgress | undefined
}

export interface AgentTurnResult {
  exitCode: number
  startedAt: number
  finishedAt: number
  report: AgentReport
  /** Where the turn didn't end well. */
  problem: { type: FailureType; message: string; output: string } | null
}

/** What is read of an event stream; of a longer one its end is left out. */
const MAX_STREAM = 32 * 1024 * 1024
const NOT_INSTALLED = 127
/** In place of a key that is set on requests outside of the sandbox. */
const KEPT_OUTSIDE = 'kept-outside-of-the-sandbox'

export const agentActivities = (deps: ActivityDeps) => ({
  /**
   * One turn of a coding agent in the repository, as a durable command. A second attempt attaches to it, or finds how it
   * ended; it is never started twice. How it ended is data. The key stays
   * outside of the sandbox, or is in the environment of this one command.
   *
   * @throws `OutcomeUnknown`, `SecretMissing`, `SecretForbidden`, and what the sandbox may
   */
  async runAgent(input: RunAgentInput): Promise<AgentTurnResult> {
    const { step, prompt, conversation, key, output, egress, ...target } = input
    const cli = agentCli(step.agent)
    const { model, baseUrl, maxCostUsd } = step
    const { line, envs } = cli.command({ conversation, model, baseUrl, maxCostUsd })
    const live = new AgentReader(cli)
    let unavailableSince: number | undefined
    const file = await putPrompt(deps, target, { key, prompt })
    const run = (apiKey?: string): ReturnType<typeof runDurably> =>
      runDurably(
        deps,
        {
          ...target,
          key,
          output,
          script: script(cli, line),
          cwd: REPOSITORY,
          envs: {
            ...envs,
            ...step.envs,
            HOLDFAST_PROMPT: file,
            ...(apiKey !== undefined && { [cli.keyVariable]: apiKey }),
          },
          timeoutMs: step.timeout,
        },
        {
          idleMs: step.idleTimeout,
          see: (text) => {
            live.push(text)
            // To say again and again that nobody answers is silence too.
            unavailableSince = live.report.unavailable ? (unavailableSince ?? Date.now()) : undefined
            const silentMs = unavailableSince === undefined ? 0 : Date.now() - unavailableSince
            return excessOf(cli, step, live.report) !== undefined || silentMs > step.idleTimeout
          },
        },
      )
    const credential = keyOf(deps, step, cli)
    const result = await (credential
      ? withCredential(deps, target, { ...credential, egress }, (outside) =>
          run(outside ? KEPT_OUTSIDE : credential.value),
        )
      : run())
    const { exitCode, startedAt, finishedAt } = result
    const report = await readStream(deps, cli, target, result)
    return { exitCode, startedAt, finishedAt, report, problem: problemOf(cli, step, result, report) }
  },
})

/** The agent's key, for its endpoint. */
export function keyOf(
  { secrets }: Pick<ActivityDeps, 'secrets'>,
  { key, baseUrl }: Pick<AgentStep, 'key' | 'baseUrl'>,
  { host, keyHeader }: AgentCli,
): (Credential & { value: string }) | undefined {
  if (!key) return undefined
  const url = baseUrl ?? host
  const value = secrets.resolve(key.secret, url)
  return { url, value, headers: keyHeader ? keyHeaders(keyHeader, value) : undefined }
}

/**
 * Puts the prompt beside the repository, whatever its length: Linux takes no variable, and no word of a command, of more than
 * 128 KiB. A second attempt writes the same again.
 *
 * @returns the path of the file
 */
async function putPrompt(
  deps: ActivityDeps,
  { sandboxId, sandboxTimeoutMs }: SandboxTarget,
  { key, prompt }: { key: string; prompt: string },
): Promise<string> {
  const file = `${RUNNER_HOME}/staged/${currentCommandId({ key })}.prompt`
  const sandbox = await connectFirst(deps, { sandboxId, sandboxTimeoutMs })
  await beforeBegin(() => mapped('files.write', () => sandbox.files.write(file, `${prompt}\n`)))
  return file
}

/** The prompt reaches the agent by its input: no quoting touches it. */
const script = ({ program, install }: AgentCli, line: string): string =>
  `${
    program &&
    `command -v ${program} >/dev/null || { echo ${quote(`${program} is not in this template: ${install}`)} >&2; exit ${NOT_INSTALLED}; }\n`
  }{
${line}
} <"$HOLDFAST_PROMPT"`

/** The stream as the sandbox has it, whole, whoever followed it. */
async function readStream(
  deps: ActivityDeps,
  cli: AgentCli,
  target: SandboxTarget,
  { commandId, stdout }: CommandResult,
): Promise<AgentReport> {
  const reader = new AgentReader(cli, (text) => deps.secrets.redact(text))
  if (!stdout.tail || stdout.bytes > MAX_STREAM) reader.push(outputText(stdout))
  else {
    const sandbox = await deps.e2b.connect(target.sandboxId, target.sandboxTimeoutMs)
    const file = `${commandFolder(RUNNER_HOME, commandId)}/stdout`
    reader.push(await mapped('files.read', () => sandbox.files.read(file)))
  }
  return reader.end()
}

/** What of its bounds a turn has gone beyond, in words. */
function excessOf(
  { countsConversation }: AgentCli,
  { maxToolCalls = Infinity, maxCostUsd = Infinity, prices }: RunAgentInput['step'],
  { toolCalls, usage, spent }: AgentReport,
): string | undefined {
  if (toolCalls > maxToolCalls) return `called tools more than ${maxToolCalls} times`
  if (maxCostUsd === Infinity) return undefined
  const tooDear = !countsConversation && priced(usage, prices).usd >= maxCostUsd
  return spent || tooDear ? `has cost the ${maxCostUsd} USD that it may` : undefined
}

function problemOf(
  cli: AgentCli,
  step: RunAgentInput['step'],
  { exitCode, timedOut, stopped, stderr }: CommandResult & { stopped?: Stopped },
  report: AgentReport,
): AgentTurnResult['problem'] {
  const { program, install } = cli
  const { agent, idleTimeout, timeout } = step
  const name = typeof agent === 'string' ? agent : 'the agent'
  const output = [report.last.join('\n'), outputText(stderr)].filter(Boolean).join('\n')
  const problem = (type: FailureType, message: string) => ({ type, message, output })
  const excess = excessOf(cli, step, report)
  if (report.unavailable && !excess) return problem('ModelUnavailable', report.error ?? '')
  if (stopped === 'idle') return problem('AgentStuck', `${name} said nothing for ${idleTimeout / 1000} s`)
  // A worker that died after it had ended the turn for this took its word for it along.
  if (stopped === 'enough' || (excess && (exitCode !== 0 || report.spent)))
    return problem('AgentStuck', `${name} ${excess ?? 'went beyond its bounds'}`)
  if (timedOut) return problem('AgentStuck', `${name} was not done in ${timeout / 1000} s`)
  if (exitCode === NOT_INSTALLED && program && stderr.head.includes(install))
    return problem('AgentNotInstalled', `this template has no program ${program}: ${install}`)
  if (exitCode !== 0) return problem('AgentFailed', report.error ?? `${name} exited with ${exitCode}`)
  return null
}
