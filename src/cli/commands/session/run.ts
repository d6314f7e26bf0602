import { examples } from '../../base-program.ts'
import { answer, programOf, quoted, withJobs } from '../../context.ts'
import { CliError } from '../../errors.ts'
import { milliseconds, wholeNumber } from '../../numbers.ts'
import { addVariable } from '../../options.ts'
import { killCommand, waitForCommand } from '../../session-command.ts'
import type { SessionGroup } from '../session.ts'

/** Commands in the session's sandbox. */
export function addRun(session: SessionGroup): void {
  session
    .command('run')
    .alias('exec')
    .description('run a command; its output is ours, and so is its exit code. Resumes a paused sandbox')
    .argument('<id>', "the session's id")
    .argument('[command...]', 'one word: a command line for bash; more: a program and its arguments')
    .option('-i, --interactive', 'with -t, as other programs want it')
    .option(
      '-t, --tty',
      'a terminal there: the command, or a shell; goes to the sandbox directly, by E2B_API_KEY',
    )
    .option('--attach <pid>', 'with -t: back to a shell that was left running', wholeNumber)
    .option('--cwd <folder>', "where (default: the user's home)")
    .option('--env <name=value>', 'a variable for it; repeatable', addVariable)
    .option('--user <name>', 'as whom')
    .option('--timeout <time>', 'then it is ended, with exit code 124 (default: never)', milliseconds)
    .option('--detach', 'print its id and leave it running; an idle sandbox is paused with it all the same')
    .addHelpText(
      'after',
      `${examples(
        'holdfast session exec -it dev',
        "holdfast session run dev 'npm ci && npm test'",
        'holdfast session run dev --cwd app -- ls -la',
        'holdfast session wait dev "$(holdfast session run dev --detach -- make all)"',
      )}\n\nCtrl-C ends the command, a second Ctrl-C leaves it running. It outlives the end of this program in any other way.\nThe output comes whole and as it is printed where HOLDFAST_BLOB_STORE is as the workers have it; otherwise at the end, a long one cut.`,
    )
    .action(async (id, words, { cwd, env, user, timeout, detach, tty, attach }, command) => {
      const globals = command.optsWithGlobals()
      const line = words.length === 1 ? (words[0] ?? '') : words.map(quoted).join(' ')
      const where = { ...(cwd && { cwd }), ...(env && { envs: env }), ...(user && { user }) }
      if (tty) {
        const { openTerminal } = await import('../../terminal/open.ts')
        const shell = { ...where, ...(line && { line }), ...(attach && { attach }) }
        return withJobs(globals, ({ sessions }) => openTerminal(globals, sessions.get(id), shell))
      }
      if (line === '')
        throw new CliError('Usage', 'no command is given', { remedy: 'name one, or use -it for a shell' })
      const options = { ...where, ...(timeout && { timeoutMs: timeout }) }
      await withJobs(globals, async ({ sessions }) => {
        const used = sessions.get(id)
        const started = used.commands.start(line, options)
        if (!detach) return waitForCommand(globals, used, started, user)
        const { commandId } = await started
        const wait = `${programOf(globals)} session wait ${id} ${commandId}`
        answer(globals, { commandId, wait }, () => commandId)
      })
    })
  session
    .command('wait')
    .description('wait for the end of a command that goes on in the session, as run does')
    .argument('<id>', "the session's id")
    .argument('<command-id>', 'as run --detach printed it')
    .option('--user <name>', 'as whom it was started')
    .addHelpText('after', examples('holdfast session wait dev 9f86d081884c7d659a2feaa0'))
    .action(async (id, commandId, { user }, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, ({ sessions }) =>
        waitForCommand(globals, sessions.get(id), Promise.resolve({ commandId }), user),
      )
    })
  session
    .command('kill')
    .description('end a command: SIGTERM to its process group, and after 5 s SIGKILL')
    .argument('<id>', "the session's id")
    .argument('<command-id>', 'as run --detach printed it')
    .option('--user <name>', 'as whom it was started')
    .addHelpText('after', examples('holdfast session kill dev 9f86d081884c7d659a2feaa0'))
    .action(async (id, commandId, { user }, command) => {
      const globals = command.optsWithGlobals()
      const killed = await withJobs(globals, ({ sessions }) => killCommand(sessions.get(id), commandId, user))
      answer(globals, { commandId, killed }, () => (killed ? `ended ${commandId}` : `${commandId} had ended`))
    })
}
