import type { CommandResult } from '../contract/job.ts'
import { outputText } from '../contract/output.ts'
import type { CommandInfo, CommandOutcome } from '../contract/operations/results.ts'
import { followCommand, runDurably, startDurably } from './lib/durable-command.ts'
import { failure } from '../contract/failure.ts'
import type { Family } from './lib/operation.ts'
import { cancelCommand, commandFolder, listCommand, runnerHome } from './lib/runner.ts'

/** Commands run through the runner in the sandbox, so that they outlive whoever started them. */
export const commandOperations = {
  /**
   * E2B's `commands.run`. A second run attaches to the running command, or finds its exit record.
   *
   * @throws `OutcomeUnknown` where the command began and its end was not recorded
   */
  'commands.run': async (use, { cmd, cwd = '.', concurrent: _, live, ...line }) => {
    const output = live ? use.key.key : undefined
    return outcome(await runDurably(use.deps, use.command({ script: cmd, cwd, output, ...line })))
  },

  /** E2B's `commands.run` with `background`. A second run finds the command started. */
  'commands.start': (use, { cmd, cwd = '.', ...line }) =>
    startDurably(use.deps, use.command({ script: cmd, cwd, ...line })),

  /** E2B's `commands.connect` and `wait`. A second run attaches again. @throws `TimedOut` where it still runs */
  'commands.wait': async (use, { commandId, user, timeoutMs, live }) => {
    const output = live ? commandId : undefined
    const line = use.command({ script: `command ${commandId}`, cwd: '.', user, timeoutMs: 0, output })
    return outcome(await followCommand(use.deps, { ...line, mode: 'attach', commandId, waitMs: timeoutMs }))
  },

  /** E2B's `commands.list`, and the durable commands that run. Reads only. */
  'commands.list': (use, { user }) =>
    use.sdk(async (sandbox) => {
      const [{ stdout }, others] = await Promise.all([
        sandbox.commands.run(listCommand(runnerHome(user)), { ...(user && { user }) }),
        sandbox.commands.list(),
      ])
      const own = others.filter(({ args }) => !args.some((arg) => arg.includes('/.holdfast/commands')))
      return {
        commands: [
          ...parseList(stdout),
          ...own.map(({ pid, cmd, args }) => ({ pid, cmd: [cmd, ...args].join(' ').slice(0, 1000) })),
        ],
      }
    }),

  /** E2B's `commands.kill`, with a grace. A second run finds it ended. */
  'commands.kill': (use, { commandId, user, graceMs }) =>
    use.sdk(async (sandbox) => {
      const { stdout } = await sandbox.commands.run(cancelCommand(runnerHome(user), commandId, graceMs), {
        timeoutMs: 0,
        ...(user && { user }),
      })
      return { killed: stdout.includes('killed') }
    }),

  /** E2B's `commands.sendStdin`. A second run finds it sent, by its key. */
  'commands.sendStdin': async (use, { commandId, user, data }) => {
    const folder = commandFolder(runnerHome(user), commandId)
    const script = '[ ! -s "$HOLDFAST_FOLDER/exit" ] && printf %s "$HOLDFAST_DATA" >"$HOLDFAST_FOLDER/stdin"'
    const envs = { HOLDFAST_FOLDER: folder, HOLDFAST_DATA: data }
    const { exitCode } = await runDurably(
      use.deps,
      use.command({ script, cwd: '.', envs, user, timeoutMs: 30_000 }),
    )
    if (exitCode !== 0)
      throw failure('SandboxInvalidArgument', `commandId: ${commandId} reads no input, or has ended`)
  },

  /** E2B's `commands.closeStdin`. A second run finds it closed. */
  'commands.closeStdin': async (use, { commandId, user }) => {
    const folder = commandFolder(runnerHome(user), commandId)
    const script = 'read -r holder <"$HOLDFAST_FOLDER/holder" && { kill "$holder" 2>/dev/null || :; }'
    const envs = { HOLDFAST_FOLDER: folder }
    const command = use.command({ script, cwd: '.', envs, user, timeoutMs: 30_000, repeatable: true })
    const { exitCode } = await runDurably(use.deps, command)
    if (exitCode !== 0) throw failure('SandboxInvalidArgument', `commandId: ${commandId} has no input`)
  },
} satisfies Family<'commands'>

const outcome = ({ stdout, stderr, ...result }: CommandResult): CommandOutcome => ({
  ...result,
  stdout: outputText(stdout),
  stderr: outputText(stderr),
  stdoutBytes: stdout.bytes,
  stderrBytes: stderr.bytes,
})

/** Id, pid and command line, each up to a NUL. */
const parseList = (text: string): CommandInfo[] =>
  text
    .split('\0')
    .filter(Boolean)
    .map((entry) => {
      const [commandId = '', pid, ...cmd] = entry.split(' ')
      return { commandId, pid: Number(pid), cmd: cmd.join(' ').trim() }
    })
