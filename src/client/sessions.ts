import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client'
import { SPEC_HASH_MEMO, WORKFLOW_TYPES } from '../contract/job.ts'
import { describeProblems, parse } from '../contract/parse.ts'
import { SESSION_COLUMNS_AT_START } from '../contract/search-attributes.ts'
import { OPENED_AT_MEMO, type SessionArgs, type SessionReference } from '../contract/session.ts'
import { sessionSpec, type SessionInput } from '../contract/session-spec.ts'
import { HoldfastError, typed } from './errors.ts'
import type { Outputs } from './outputs.ts'
import { Session } from './session.ts'
import { specHash } from './spec-hash.ts'
import { startInList } from './start-in-list.ts'

export interface SessionSummary {
  id: string
  /** When it was opened, however many runs its workflow has had since. */
  openedAt: Date
}

/** Opens sessions and finds them. Every method throws HoldfastError. */
export class Sessions {
  readonly #client: Client
  readonly #taskQueue: string
  readonly #outputs: Outputs

  constructor(client: Client, taskQueue: string, outputs: Outputs) {
    this.#client = client
    this.#outputs = outputs
    this.#taskQueue = taskQueue
  }

  /**
   * Opens a session, or finds the open one of that id: opening twice is safe. Temporal's `workflow.start`. The sandbox is there when the
   * first operation is answered.
   *
   * @throws `InvalidSpec` with every wrong field; `SpecConflict` where an open session of that id has another spec
   */
  async open(id: string, options: Omit<SessionInput, 'id'> = {}): Promise<Session> {
    const parsed = parse(sessionSpec, { ...options, id })
    if (!parsed.ok)
      throw new HoldfastError('InvalidSpec', describeProblems(parsed.problems), { problems: parsed.problems })
    const hash = specHash(parsed.value)
    const args: SessionArgs = { spec: parsed.value }
    return typed(
      async () => {
        try {
          await startInList(this.#client, WORKFLOW_TYPES.sandboxSession, SESSION_COLUMNS_AT_START, {
            workflowId: id,
            taskQueue: this.#taskQueue,
            args: [args],
            memo: { [SPEC_HASH_MEMO]: hash },
            workflowIdReusePolicy: 'ALLOW_DUPLICATE',
            workflowIdConflictPolicy: 'FAIL',
            staticSummary: 'sandbox session',
          })
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
          const { memo, type } = await this.#client.workflow.getHandle(id).describe()
          if (type !== WORKFLOW_TYPES.sandboxSession || memo?.[SPEC_HASH_MEMO] !== hash)
            throw new HoldfastError('SpecConflict', `the id ${id} belongs to what another spec has made`, {
              cause: error,
            })
        }
        return new Session(this.#client, this.#outputs, id)
      },
      id,
      'session',
    )
  }

  /** An open session, unasked: the first call on it tells whether there is one. */
  get(id: string): Session {
    return new Session(this.#client, this.#outputs, id)
  }

  /** Uses a session that somebody else owns. @throws `InvalidSpec` where the reference is of a later version */
  attach(reference: SessionReference): Session {
    if (reference.version !== 1)
      throw new HoldfastError(
        'InvalidSpec',
        `version: is ${String(reference.version)}; this program knows version 1: update it`,
      )
    return this.get(reference.id)
  }

  /** Open sessions, the one whose workflow began its current run last first. Temporal's `workflow.list`. */
  async *list(): AsyncGenerator<SessionSummary, void> {
    const query = `WorkflowType = "${WORKFLOW_TYPES.sandboxSession}" AND ExecutionStatus = "Running"`
    try {
      for await (const { workflowId, startTime, memo } of this.#client.workflow.list({ query })) {
        const openedAt = memo?.[OPENED_AT_MEMO]
        yield { id: workflowId, openedAt: typeof openedAt === 'number' ? new Date(openedAt) : startTime }
      }
    } catch (error) {
      throw HoldfastError.from(error)
    }
  }
}
