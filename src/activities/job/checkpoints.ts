import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { AgentJobSpec } from '../../contract/spec.ts'
import { type AgentState, restoreAgentState, saveAgentState } from '../lib/agent-state.ts'
import { jobFolder } from '../lib/places.ts'
import { REPOSITORY, type ActivityDeps } from '../lib/deps.ts'
import { mapped } from '../lib/e2b.ts'
import { failure } from '../../contract/failure.ts'
import type { SandboxEgress } from '../lib/egress-headers.ts'
import { runGit } from '../lib/git-command.ts'
import { FINGERPRINT, RESTORE, SAVE } from '../lib/git-scripts.ts'
import { whileBeating } from '../lib/heartbeat.ts'
import { RUNNER_HOME } from '../lib/runner.ts'

/** What the work looks like, by which a resumed sandbox is known to be the one that was paused. */
export interface Fingerprint {
  /** The commit checked out. */
  head: string
  /** The tree of all that isn't ignored, as git names it. */
  tree: string
  /** Written before each pause, read after the resume. */
  sentinel: string
}

/** All that a job's work is, outside its sandbox: commits, index, working tree with new files, branches, tags, stashes. Ignored files aren't. */
export interface Checkpoint extends Fingerprint {
  /** The index, as a tree. */
  staged: string
  /** Branches, tags and stashes, as a blob's name; not in a checkpoint of an earlier version. */
  refs?: string
  /** The branch checked out, as a full ref; empty where HEAD is detached. */
  headRef: string
  /** Git bundles in the blob store, each on top of those before it, and the commit that each brings. */
  bundles: { key: string; commit: string }[]
  /** What agents remembered at the end of the last turn of one. */
  agents?: AgentState | undefined
}
import type { SandboxTarget } from '../lib/target.ts'

export interface SaveInput extends SandboxTarget {
  baseCommit: string
  previous: Checkpoint | null
  newSentinel: string
  /** Where agents keep what they remember, if that may have changed. */
  agents?: string[] | undefined
  /** Of the job. */
  firstRunId?: string
}

export interface RestoreInput extends SandboxTarget {
  repo: AgentJobSpec['repo']
  egress?: SandboxEgress | undefined
  baseCommit: string
  checkpoint: Checkpoint
}

/** After so many bundles on top of each other, the next one is whole. */
const MAX_BUNDLES = 8
/** ms for moving one bundle. */
const TRANSFER_MS = 30 * 60_000
/** The same content gives the same commit, whenever and by whomever it is saved. */
const IDENTITY = {
  GIT_AUTHOR_NAME: 'Holdfast',
  GIT_AUTHOR_EMAIL: 'holdfast@localhost',
  GIT_AUTHOR_DATE: '2000-01-01T00:00:00Z',
  GIT_COMMITTER_NAME: 'Holdfast',
  GIT_COMMITTER_EMAIL: 'holdfast@localhost',
  GIT_COMMITTER_DATE: '2000-01-01T00:00:00Z',
}

export const checkpointActivities = (deps: ActivityDeps) => ({
  /**
   * Saves the work as a git bundle in the blob store and leaves the sentinel in the sandbox. Work that hasn't changed
   * since the previous checkpoint is not saved again. A second attempt finds the bundle made, and writes it under the same key.
   *
   * @throws `BlobStoreUnavailable`
   */
  async saveCheckpoint(input: SaveInput): Promise<Checkpoint & { bytes: number }> {
    const { previous, baseCommit, newSentinel, firstRunId } = input
    const earlier = previous && previous.bundles.length < MAX_BUNDLES ? previous.bundles : []
    const file = `${RUNNER_HOME}/checkpoint-${earlier.length}.bundle`
    const { stdout } = await runGit(deps, input, {
      envs: {
        ...IDENTITY,
        SENTINEL: newSentinel,
        FILE: file,
        REF: `refs/holdfast/checkpoints/${earlier.length}`,
        KNOWN: previous ? `${previous.head} ${previous.tree} ${previous.staged} ${previous.refs ?? ''}` : '',
        HAVE: [baseCommit, ...earlier.map(({ commit }) => commit)].join(' '),
        HAVE_REFS: (earlier.length > 0 && previous?.refs) || '',
      },
      script: SAVE,
    })
    const [head = '', tree = '', staged = '', refs = '', headRef = '', commit] = stdout.head
      .trimEnd()
      .split('\n')
    const agents = input.agents
      ? await saveAgentState(deps, input, { state: input.agents, key: `agents-${newSentinel}`, firstRunId })
      : previous?.agents
    const now = { agents, head, tree, staged, refs, headRef, sentinel: newSentinel }
    if (!commit) return { ...now, bundles: previous?.bundles ?? [], bytes: 0 }
    const sandbox = await deps.e2b.connect(input.sandboxId, input.sandboxTimeoutMs)
    const key = `${jobFolder(deps, firstRunId)}${earlier.length}-${commit}.bundle`
    const { bytes } = await whileBeating(async () => {
      const content = await mapped('files.read', () =>
        sandbox.files.read(file, { format: 'stream', requestTimeoutMs: TRANSFER_MS }),
      )
      return deps.blobs.put(key, Readable.fromWeb(content as ReadableStream))
    })
    return { ...now, bundles: [...earlier, { key, commit }], bytes }
  },

  /**
   * Makes the repository in a sandbox as the checkpoint has it; ignored files that are there stay. A second attempt does
   * the same again.
   *
   * @throws `BlobMissing`, `BaseCommitGone`, `RestoreDiverged` where the result isn't what was saved, and what
   * `cloneRepository` throws
   */
  async restoreCheckpoint(input: RestoreInput): Promise<void> {
    const { checkpoint, repo, egress, baseCommit } = input
    const sandbox = await deps.e2b.connect(input.sandboxId, input.sandboxTimeoutMs)
    const files = checkpoint.bundles.map((_, index) => `${RUNNER_HOME}/restore-${index}.bundle`)
    await whileBeating(async () => {
      for (const [index, { key }] of checkpoint.bundles.entries()) {
        const content = Readable.toWeb(await deps.blobs.get(key)) as globalThis.ReadableStream
        const file = files[index]!
        await mapped('files.write', () =>
          sandbox.files.write(`${file}.new`, content, { requestTimeoutMs: TRANSFER_MS }),
        )
        // The script of an earlier attempt may be reading the one that is there.
        await mapped('files.rename', () => sandbox.files.rename(`${file}.new`, file))
      }
    })
    const result = await runGit(deps, input, {
      cwd: '/home/user',
      remote: { ...repo, egress },
      timeoutMs: 60 * 60_000,
      accept: [4],
      envs: {
        REPOSITORY,
        URL: repo.url,
        BASE: repo.base,
        BASE_COMMIT: baseCommit,
        DEPTH: repo.depth ? `--depth=${repo.depth}` : '',
        FILES: files.join(' '),
        HEAD_REF: checkpoint.headRef,
        HEAD_COMMIT: checkpoint.head,
        WORK_TREE: checkpoint.tree,
        STAGED: checkpoint.staged,
        REFS: checkpoint.refs ?? '',
        SENTINEL: checkpoint.sentinel,
      },
      script: RESTORE,
    })
    if (result.exitCode === 4)
      throw failure('BaseCommitGone', `${repo.url} has no commit ${baseCommit} any more`)
    const differs = differences(checkpoint, result.stdout.head)
    if (differs) throw failure('RestoreDiverged', `the restored work is not as it was saved: ${differs}`)
    const { agents } = checkpoint
    if (agents && 'key' in agents) await whileBeating(() => restoreAgentState(deps, input, agents.key))
  },

  /**
   * Holds a resumed sandbox against its fingerprint. Reads only.
   *
   * @throws `SandboxDiverged` where it is not as it was paused
   */
  async verifyResume(input: SandboxTarget & { expected: Fingerprint }): Promise<void> {
    const { stdout } = await runGit(deps, input, {
      cwd: '/home/user',
      envs: { REPOSITORY },
      // Whatever makes git refuse, it isn't the repository that was paused.
      script: `if ! { cd "$REPOSITORY" && git rev-parse --verify --quiet HEAD; } >&2; then exit 0; fi\n${FINGERPRINT}`,
    })
    const differs = differences(input.expected, stdout.head)
    if (differs) throw failure('SandboxDiverged', `the sandbox is not as it was: ${differs}`)
  },

  /** Deletes all checkpoints of this job. A second attempt finds none, which is success. */
  async deleteCheckpoints({ firstRunId }: { firstRunId?: string } = {}): Promise<void> {
    await deps.blobs.deleteAll(jobFolder(deps, firstRunId))
  },
})

function differences(expected: Fingerprint, output: string): string {
  const [head, tree, sentinel] = output.trim().split('\n')
  return [
    ...(head === expected.head ? [] : [`HEAD is ${head}, was ${expected.head}`]),
    ...(tree === expected.tree ? [] : [`files are ${tree}, were ${expected.tree}`]),
    ...(sentinel === expected.sentinel ? [] : ['the sentinel is gone or older']),
  ].join('; ')
}
