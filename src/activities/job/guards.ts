import type { Breach, Guards } from '../../contract/guards.ts'
import type { ActivityDeps } from '../lib/deps.ts'
import { mapped } from '../lib/e2b.ts'
import { runGit } from '../lib/git-command.ts'
import { TREE } from '../lib/git-scripts.ts'
import { findBreaches, list, parseChanges } from '../lib/guards.ts'
import { RUNNER_HOME } from '../lib/runner.ts'
import { ADDED, findSecrets } from '../lib/secret-scan.ts'
import type { SandboxTarget } from '../lib/target.ts'

/** What is read of a diff; more than this is a breach itself. */
const MAX_BYTES = 8 * 1024 * 1024
const MAX_MESSAGE = 600

const FILES = ['guards.status', 'guards.numstat', 'guards.added'].map((name) => `${RUNNER_HOME}/${name}`)

export const guardActivities = (deps: ActivityDeps) => ({
  /**
   * In which ways the work leaves the bounds of the spec. Reads only; a second attempt reads again. Paths and lines come
   * from git in the sandbox, and are judged on the worker.
   */
  async checkGuards(
    input: SandboxTarget & { baseCommit: string; guards: Guards },
  ): Promise<{ breaches: Breach[] }> {
    const { guards } = input
    const [status = '', numstat = '', added = ''] = FILES
    const result = await runGit(deps, input, {
      envs: { BASE: input.baseCommit, STATUS: status, NUMSTAT: numstat, ADDED: added },
      script: `${TREE}
changes() { git -c core.quotePath=false diff --no-ext-diff --no-textconv --no-color --text -M "$@" "$BASE" "$tree"; }
changes -z --name-status >"$STATUS"
changes -z --numstat >"$NUMSTAT"
changes --unified=0 --output-indicator-new='${ADDED}' | grep -a -e '^${ADDED}' -e '^+++ ' >"$ADDED" || true
stat -c %s "$STATUS" "$NUMSTAT" "$ADDED"`,
    })
    const sizes = result.stdout.head.trim().split('\n').map(Number)
    if (sizes.some((size) => size > MAX_BYTES)) {
      const message = `the diff is too large to be looked at: more than ${MAX_BYTES / 1024 / 1024} MiB`
      return { breaches: [{ guard: 'maxLines', message }] }
    }
    const sandbox = await deps.e2b.connect(input.sandboxId, input.sandboxTimeoutMs)
    const read = (file: string) => mapped('files.read', () => sandbox.files.read(file))
    const isOurs = (text: string): boolean => deps.secrets.redact(text) !== text
    const changes = parseChanges(await read(status), await read(numstat))
    const breaches = findBreaches(changes, guards)
    if (guards.secrets) breaches.push(...(await secretsIn(await read(added), isOurs)))
    return {
      breaches: breaches.map(({ guard, message }) => ({
        guard,
        message: deps.secrets.redact(message).slice(0, MAX_MESSAGE),
      })),
    }
  },
})

async function secretsIn(diff: string, isOurs: (text: string) => boolean): Promise<Breach[]> {
  const found = await findSecrets(diff, isOurs)
  return found.length > 0
    ? [{ guard: 'secrets', message: `secrets: ${list(found.map(({ path, kind }) => `${kind} in ${path}`))}` }]
    : []
}
