import { isDeepStrictEqual } from 'node:util'
import { agentCli } from '../../contract/agents/index.ts'
import type { Tariff } from '../../contract/cost.ts'
import { describeProblems, parse } from '../../contract/parse.ts'
import { agentJobSpec, type AgentJobSpec, changeRequest, type Step } from '../../contract/spec.ts'
import { modelOf } from '../lib/models.ts'
import type { ActivityDeps } from '../lib/deps.ts'
import { mayReachSandbox } from '../lib/egress-headers.ts'
import { executionOf } from '../lib/execution.ts'
import { failure } from '../../contract/failure.ts'
import { keyOf } from './agents.ts'

export interface Admission {
  /** The spec, where parsing changed it: left out otherwise, to keep it from standing in the history twice. */
  parsed?: AgentJobSpec
  /** What this worker says things cost. */
  tariff: Tariff
  /** Whose worker this is. */
  owner: string
  /** Value of the trailer `Holdfast-Job`: names this very job, and no other one that had its id before. */
  trailer: string
}

/** What a job was started with: by our client it is parsed, from the Temporal UI or another SDK it is whatever was sent. */
export const admissionActivities = (deps: ActivityDeps) => ({
  /**
   * Proves, before anything is made, that the spec is one and that this worker has the secrets it names. Reads only.
   *
   * @throws `InvalidSpec` with every wrong field, `SecretMissing`, `SecretForbidden`
   */
  async admitJob({ spec }: { spec: unknown }): Promise<Admission> {
    const parsed = parse(agentJobSpec, spec)
    if (!parsed.ok) throw failure('InvalidSpec', describeProblems(parsed.problems))
    const { auth } = parsed.value.repo
    if (auth && /[\r\n\0]/.test(deps.secrets.resolve(auth.secret, parsed.value.repo.url)))
      throw failure(
        'SecretMissing',
        `the secret ${auth.secret} holds a line break or NUL, which git credentials can not`,
      )
    const egress = parsed.value.sandbox
    if (auth) mayReachSandbox(deps, { url: parsed.value.repo.url, egress, headers: {} })
    for (const step of parsed.value.steps)
      if ('agent' in step) {
        const key = keyOf(deps, step, agentCli(step.agent))
        if (key) mayReachSandbox(deps, { ...key, egress })
      } else if ('llm' in step) {
        await modelOf(step.llm, deps)
        for (const { url, key } of step.mcp) if (key) deps.secrets.resolve(key.secret, url)
      }
    const { tariff, owner } = deps
    // A later run isn't admitted again: this is the first one.
    const { workflowId, runId } = executionOf()
    const trailer = `${workflowId}/${runId}`
    return { tariff, owner, trailer, ...(!isDeepStrictEqual(parsed.value, spec) && { parsed: parsed.value }) }
  },

  /** The same for what came with a request for changes. Reads only. @throws `InvalidSpec` */
  async admitChanges({ request }: { request: unknown }): Promise<{ steps: Step[] | undefined }> {
    const parsed = parse(changeRequest, request)
    if (!parsed.ok) throw failure('InvalidSpec', describeProblems(parsed.problems))
    return { steps: parsed.value.steps }
  },
})
