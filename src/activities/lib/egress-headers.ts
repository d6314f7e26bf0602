import { isIP } from 'node:net'
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity'
import { failure } from '../../contract/failure.ts'
import type { AgentJobSpec } from '../../contract/spec.ts'
import type { ActivityDeps } from './deps.ts'
import { beforeBegin, connectFirst } from './durable-command.ts'
import { mapped, type Sandbox } from './e2b.ts'
import type { SandboxTarget } from './target.ts'

/** Whether credentials stay outside of sandboxes: where the network layer can do it, only then, or not at all. */
export type ByEgress = 'auto' | 'always' | 'never'

/** What rules a sandbox was made with: an update replaces them all, so they are given again with each. */
export type SandboxEgress = Pick<AgentJobSpec['sandbox'], 'allowInternetAccess' | 'network'>

/** A credential for one host, as the headers that it goes by. */
export interface Credential {
  /** Any URL of the host. */
  url: string
  /** Left out where it isn't known how it is sent. */
  headers: Record<string, string> | undefined
  /** Left out where others may change the sandbox's rules, too. */
  egress?: SandboxEgress | undefined
}

/**
 * Runs a command that has to have a credential. Where the sandbox's network layer can do it (`updateNetwork` with
 * `rules`), the headers are set out there, on requests to the host, from before the command to its end; else `run` is told
 * to bring the credential in by itself.
 *
 * A run that was cut off leaves the rule, since its command goes on; the next attempt takes it away when the command has ended.
 *
 * @throws `SecretForbidden` where it can't be done outside and this worker lets no credential in
 */
export async function withCredential<T>(
  deps: ActivityDeps,
  target: Pick<SandboxTarget, 'sandboxId' | 'sandboxTimeoutMs'>,
  credential: Credential,
  run: (outside: boolean) => Promise<T>,
): Promise<T> {
  const { url, egress, headers } = credential
  const obstacle = deps.byEgress === 'never' ? 'it may not' : egressObstacle(credential)
  if (obstacle !== undefined || !egress || !headers) return run(notOutside(deps, url, obstacle))
  const sandbox = await connectFirst(deps, target)
  if (!(await beforeBegin(() => setRule(deps, sandbox, { url, egress, headers }))))
    return run(notOutside(deps, url, 'the network layer of the sandbox did not take the rule'))
  const clear = () => mapped('sandbox.updateNetwork', () => sandbox.updateNetwork(rulesOf(egress)))
  try {
    const result = await run(true)
    await clear()
    return result
  } catch (error) {
    // A sandbox that can't be reached now is the less reason to forget that its command was cancelled.
    if (error instanceof CancelledFailure) await clear().catch(() => undefined)
    else if (error instanceof ApplicationFailure && error.type === 'OutcomeUnknown') await clear()
    throw error
  }
}

/** Why a credential can't be set by rules, or undefined where it may. */
function egressObstacle({ url, egress, headers }: Credential): string | undefined {
  if (!egress) return "a session's rules may be changed by anyone who uses it"
  if (!headers) return 'the agent does not name its keyHeader'
  const { hostname } = new URL(url)
  return isIP(hostname.replace(/^\[|\]$/g, '')) ? 'rules are for hosts by name, not by address' : undefined
}

/** @throws `SecretForbidden` where it would have to be brought in, and this worker lets none in */
export function mayReachSandbox(deps: ActivityDeps, credential: Credential): void {
  const obstacle = egressObstacle(credential)
  if (obstacle !== undefined) notOutside(deps, credential.url, obstacle)
}

/** @returns false, for `run` */
function notOutside({ byEgress }: ActivityDeps, url: string, obstacle: string | undefined): false {
  if (byEgress !== 'always') return false
  throw failure(
    'SecretForbidden',
    `this worker lets no credential into a sandbox (HOLDFAST_SECRETS_BY_EGRESS is always), and the one for ${url} can't be set outside: ${obstacle}`,
  )
}

/** @returns whether the server says that the rule is in force: an older one takes the update and leaves the rule out */
async function setRule(
  deps: ActivityDeps,
  sandbox: Sandbox,
  { url, headers, egress }: Required<{ [K in keyof Credential]: NonNullable<Credential[K]> }>,
): Promise<boolean> {
  const { hostname } = new URL(url)
  try {
    await mapped('sandbox.updateNetwork', () =>
      sandbox.updateNetwork({ ...rulesOf(egress), rules: { [hostname]: [{ transform: { headers } }] } }),
    )
  } catch (error) {
    if (error instanceof ApplicationFailure && error.type === 'SandboxInvalidArgument') return false
    throw error
  }
  const { network } = await deps.e2b.info(sandbox.sandboxId)
  return (network?.rules?.[hostname]?.length ?? 0) > 0
}

const rulesOf = ({ allowInternetAccess, network }: SandboxEgress) => ({
  ...(allowInternetAccess !== undefined && { allowInternetAccess }),
  ...(network?.allowOut && { allowOut: network.allowOut }),
  ...(network?.denyOut && { denyOut: network.denyOut }),
})
