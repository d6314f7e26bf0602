import type { Breach, Guards } from '../../contract/guards.ts'
import type { ActivityDeps } from '../lib/deps.ts'
import { mapped } from '../lib/e2b.ts'
import { runGit } from '../lib/git-command.ts'
import { SEEN } from '../lib/git-scripts.ts'
import { findBreaches, list, parseChanges, PASSED } from '../lib/guards.ts'
import { RUNNER_HOME } from '../lib/runner.ts'
import { ADDED, findSecrets, type FoundSecret } from '../lib/secret-scan.ts'
import type { SandboxTarget } from '../lib/target.ts'

/** What is read of a diff; more than this is a breach itself. */
const MAX_BYTES = 8 * 1024 * 1024
const MAX_MESSAGE = 600

const FILES = ['status', 'numstat', 'added', 'commits', 'touched', 'written'].map(
  (name) => `${RUNNER_HOME}/guards.${name}`,
)

/**
 * What the work changes, as a diff against the base; and what the job's commits do, one by one, since all of them are pushed. Those
 * that the remote's base has, as the sandbox knows it, aren't the job's. Messages stand as the lines of a file.
 */
const READ = `${SEEN}
show="--no-ext-diff --no-textconv --no-color --text -M"
changes() { git -c core.quotePath=false diff $show "$@" "$BASE" "$tree"; }
commits() { git -c core.quotePath=false diff-tree --stdin -r -m --root --no-commit-id $show "$@" <"$COMMITS"; }
added() { "$@" --unified=0 --output-indicator-new='${ADDED}' | grep -a -e '^${ADDED}' -e '^+++ ' || true; }
messages() { echo '+++ a message'; git log --no-walk --stdin --no-show-signature --format=%B <"$COMMITS" | sed 's/^/${ADDED}/'; }
changes -z --name-status >"$STATUS"
changes -z --numstat >"$NUMSTAT"
added changes >"$ADDED"
known=$([ -z "$REMOTE_BASE" ] || git rev-parse --verify --quiet "refs/remotes/origin/$REMOTE_BASE" || true)
git rev-list $parents --not "$BASE" $known -- >"$COMMITS"
commits -z --name-status >"$TOUCHED"
{ added commits -p; [ ! -s "$COMMITS" ] || messages; } | head -c "$LIMIT" >"$WRITTEN"
stat -c %s "$STATUS" "$NUMSTAT" "$ADDED" "$TOUCHED" "$WRITTEN"`

export const guardActivities = (deps: ActivityDeps) => ({
  /**
   * In which ways the work leaves the bounds of the spec. Reads only; a second attempt reads again. Paths and lines come
   * from git in the sandbox, and are judged on the worker. Null where what was seen isn't there any more.
   */
  async checkGuards(
    input: SandboxTarget & { baseCommit: string; guards: Guards; base?: string; seen?: string | undefined },
  ): Promise<{ breaches: Breach[] | null }> {
    const { guards, base = '' } = input
    const [status = '', numstat = '', added = '', commits = '', touched = '', written = ''] = FILES
    const result = await runGit(deps, input, {
      accept: [4],
      envs: {
        BASE: input.baseCommit,
        SEEN: input.seen ?? '',
        REMOTE_BASE: base,
        STATUS: status,
        NUMSTAT: numstat,
        ADDED: added,
        COMMITS: commits,
        TOUCHED: touched,
        WRITTEN: written,
        LIMIT: String(MAX_BYTES + 1),
      },
      script: READ,
    })
    if (result.exitCode === 4) return { breaches: null }
    const sizes = result.stdout.head.trim().split('\n').map(Number)
    if (sizes.some((size) => size > MAX_BYTES)) {
      const bound = `${MAX_BYTES / 1024 / 1024} MiB`
      const message = `the diff, or that of the commits, is too large to be looked at: more than ${bound}`
      return { breaches: [{ guard: 'maxLines', message }] }
    }
    const sandbox = await deps.e2b.connect(input.sandboxId, input.sandboxTimeoutMs)
    const read = (file: string) => mapped('files.read', () => sandbox.files.read(file))
    const isOurs = (text: string): boolean => deps.secrets.redact(text) !== text
    const changes = parseChanges(await read(status), await read(numstat))
    const breaches = findBreaches(changes, guards, parseChanges(await read(touched), ''))
    if (guards.secrets) breaches.push(...(await secretsIn(await read(added), await read(written), isOurs)))
    return {
      breaches: breaches.map(({ guard, message }) => ({
        guard,
        message: deps.secrets.redact(message).slice(0, MAX_MESSAGE),
      })),
    }
  },
})

/** @param written what the commits add, of which some may be in the diff too */
async function secretsIn(
  diff: string,
  written: string,
  isOurs: (text: string) => boolean,
): Promise<Breach[]> {
  const named = (found: FoundSecret[]): string[] => found.map(({ path, kind }) => `${kind} in ${path}`)
  const there = named(await findSecrets(diff, isOurs))
  const passed = named(await findSecrets(written, isOurs)).filter((name) => !there.includes(name))
  const breach = (words: string, names: string[]): Breach[] =>
    names.length > 0 ? [{ guard: 'secrets', message: `${words}: ${list(names)}` }] : []
  return [...breach('secrets', there), ...breach(`secrets ${PASSED}`, passed)]
}
