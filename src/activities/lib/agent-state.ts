import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { KEY_FILES } from '../../contract/agents/agent.ts'
import type { ActivityDeps } from './deps.ts'
import { runDurably } from './durable-command.ts'
import { mapped } from './e2b.ts'
import { jobFolder } from './places.ts'
import { RUNNER_HOME } from './runner.ts'
import type { SandboxTarget } from './target.ts'

/** What agents remember, outside their sandbox: an archive in the blob store of what was found, or why there is none. */
export type AgentState = { key: string; paths: string[] } | { unsaved: string }

const MAX_MIB = 32
const HOME = '/home/user'

/** Puts what is there of `$STATE` into `$FILE`; prints its size in bytes, and then what it has, a line each. */
const ARCHIVE = `set -f; umask 077
rm -f "$FILE"
command -v tar >/dev/null || { echo "this template has no tar" >&2; exit 1; }
found=
for path in $STATE; do if [ -e "$path" ]; then found="$found $path"; fi; done
[ -n "$found" ] || { echo "nothing is at$(printf ' ~/%s' $STATE)" >&2; exit 1; }
without=
for name in $WITHOUT; do without="$without --exclude=$name"; done
tar -cf "$FILE" $without $found || exit 1
wc -c <"$FILE"; printf '%s\\n' $found`

const EXTRACT = `tar -xf "$FILE" && rm -f "$FILE"`

/**
 * Saves what agents remember. Files by the names of key files are left out, and an archive with the value of a secret isn't
 * saved. A second attempt makes the same archive, or another one beside it.
 *
 * @param state paths, from `~/`
 * @param key names the archiving within the run of the workflow
 * @throws `BlobStoreUnavailable`, and what the sandbox may
 */
export async function saveAgentState(
  deps: ActivityDeps,
  { sandboxId, sandboxNumber, sandboxTimeoutMs, sentinels }: SandboxTarget,
  { state, key: name, firstRunId }: { state: string[]; key: string; firstRunId: string | undefined },
): Promise<AgentState> {
  const file = `${RUNNER_HOME}/agent-state.tar`
  const { exitCode, stdout, stderr } = await runDurably(deps, {
    sandboxId,
    sandboxNumber,
    sandboxTimeoutMs,
    sentinels,
    key: name,
    script: ARCHIVE,
    cwd: HOME,
    envs: {
      STATE: state.map((path) => path.slice('~/'.length)).join(' '),
      WITHOUT: KEY_FILES.join(' '),
      FILE: file,
    },
    timeoutMs: 5 * 60_000,
    repeatable: true,
  })
  if (exitCode !== 0) return { unsaved: stderr.head.trim().split('\n')[0] ?? '' }
  const [size, ...paths] = stdout.head.trim().split('\n')
  if (!(Number(size) <= MAX_MIB * 1024 ** 2)) return { unsaved: `it has more than ${MAX_MIB} MiB` }
  const sandbox = await deps.e2b.connect(sandboxId, sandboxTimeoutMs)
  const archive = Buffer.from(await mapped('files.read', () => sandbox.files.read(file, { format: 'bytes' })))
  const text = archive.toString()
  if (deps.secrets.redact(text) !== text) return { unsaved: 'it has the value of a secret' }
  const key = `${jobFolder(deps, firstRunId)}agents-${createHash('sha256').update(archive).digest('hex')}.tar`
  await deps.blobs.put(key, Readable.from([archive]))
  return { key, paths: paths.map((path) => `~/${path}`) }
}

/** Brings back what was saved. A second attempt does the same again. @throws `BlobMissing` */
export async function restoreAgentState(
  deps: ActivityDeps,
  target: SandboxTarget,
  key: string,
): Promise<void> {
  const file = `${RUNNER_HOME}/agent-state.tar`
  const sandbox = await deps.e2b.connect(target.sandboxId, target.sandboxTimeoutMs)
  const content = Readable.toWeb(await deps.blobs.get(key)) as globalThis.ReadableStream
  await mapped('files.write', () => sandbox.files.write(file, content))
  await mapped('commands.run', () =>
    sandbox.commands.run(EXTRACT, { cwd: HOME, envs: { FILE: file }, timeoutMs: 5 * 60_000 }),
  )
}
