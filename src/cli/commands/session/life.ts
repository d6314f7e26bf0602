import type { SessionSummary } from '../../../client/sessions.ts'
import { examples } from '../../base-program.ts'
import { answer, programOf, withJobs } from '../../context.ts'
import { milliseconds, wholeNumber } from '../../numbers.ts'
import { addVariable } from '../../options.ts'
import { formatSession, formatSessions } from '../../session-text.ts'
import { colorsFor } from '../../terminal.ts'
import type { SessionGroup } from '../session.ts'

/** What a session goes through, from `open` to `close`. */
export function addLife(session: SessionGroup): void {
  addOpen(session)
  addLooks(session)
  addChanges(session)
}

function addOpen(session: SessionGroup): void {
  session
    .command('open')
    .description('open a session, and wait for its sandbox; the same id and options again find the same one')
    .argument('<id>', 'names the session')
    .option('--template <name>', 'what the sandbox is made from (default: code-interpreter-v1)')
    .option('--env <name=value>', 'a variable for all that runs there; repeatable', addVariable)
    .option('--idle-timeout <time>', 'pause the sandbox when nothing used it for so long', milliseconds)
    .option('--timeout <time>', 'E2B pauses it when no worker extended it for so long', milliseconds)
    .addHelpText(
      'after',
      examples(
        'holdfast session open dev',
        'holdfast session open dev --template base --env NODE_ENV=test --idle-timeout 10m',
      ),
    )
    .action(async (id, { template, env, idleTimeout, timeout }, command) => {
      const globals = command.optsWithGlobals()
      const sandbox = {
        ...(template && { template }),
        ...(env && { envs: env }),
        ...(timeout && { timeout }),
      }
      const { sandboxId } = await withJobs(globals, async ({ sessions }) => {
        const opened = await sessions.open(id, { sandbox, ...(idleTimeout && { idleTimeout }) })
        return opened.getInfo()
      })
      const use = `${programOf(globals)} session run ${id} -- COMMAND`
      answer(globals, { id, sandboxId }, () => `${id}\nsandbox ${sandboxId}; use it with: ${use}`)
    })
}

function addLooks(session: SessionGroup): void {
  session
    .command('status')
    .description('the sandbox, what runs, what it has cost so far; resumes nothing')
    .argument('<id>', "the session's id")
    .addHelpText(
      'after',
      examples('holdfast session status dev', 'holdfast session status dev --json | jq .state'),
    )
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals()
      const status = await withJobs(globals, ({ sessions }) => sessions.get(id).status())
      answer(globals, status, () => formatSession(status, Date.now(), colorsFor(process.stdout)))
    })
  session
    .command('list')
    .description('open sessions, with when each was opened')
    .option('--limit <number>', 'at most so many', wholeNumber, 20)
    .addHelpText('after', examples('holdfast session list', "holdfast session list --json | jq -r '.[].id'"))
    .action(async ({ limit }, command) => {
      const globals = command.optsWithGlobals()
      const found = await withJobs(globals, async ({ sessions }) => {
        const all: SessionSummary[] = []
        for await (const one of sessions.list()) {
          if (all.length >= limit) break
          all.push(one)
        }
        return all
      })
      answer(globals, found, () => formatSessions(found, Date.now(), colorsFor(process.stdout)))
    })
}

function addChanges(session: SessionGroup): void {
  session
    .command('pause')
    .description('pause the sandbox when what runs has ended; the next use resumes it')
    .argument('<id>', "the session's id")
    .addHelpText('after', examples('holdfast session pause dev'))
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, ({ sessions }) => sessions.get(id).pause())
      answer(globals, { id, state: 'paused' }, () => `paused ${id}`)
    })
  session
    .command('resume')
    .description('resume the sandbox; any use does so too')
    .argument('<id>', "the session's id")
    .addHelpText('after', examples('holdfast session resume dev'))
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, ({ sessions }) => sessions.get(id).resume())
      answer(globals, { id, state: 'running' }, () => `resumed ${id}`)
    })
  session
    .command('fork')
    .description('another session, with a copy of the sandbox as it is now')
    .argument('<id>', "the session's id")
    .argument('<new-id>', 'names the new one')
    .addHelpText('after', examples('holdfast session fork dev dev-2'))
    .action(async (id, newId, _options, command) => {
      const globals = command.optsWithGlobals()
      const fork = await withJobs(globals, ({ sessions }) => sessions.get(id).fork(newId))
      answer(globals, { id: fork.id, from: id }, () => `forked ${id} as ${fork.id}`)
    })
  session
    .command('close')
    .description('end what runs, and the sandbox; closing what is closed is no error')
    .argument('<id>', "the session's id")
    .addHelpText('after', examples('holdfast session close dev'))
    .action(async (id, _options, command) => {
      const globals = command.optsWithGlobals()
      await withJobs(globals, ({ sessions }) => sessions.get(id).close())
      answer(globals, { id, state: 'closed' }, () => `closed ${id}`)
    })
}
