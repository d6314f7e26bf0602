import type { Limits } from '../isolation/limits.ts'
import { withoutValues } from '../egress/header-rules.ts'
import type { NetworkRules } from '../sandboxes/record.ts'
import type { Sandbox } from '../sandboxes/sandbox.ts'

// What clients may use of envd depends on this.
export const envdVersion = '0.6.4'
const clientID = 'local'
/** A sandbox's size as clients are told; its disk is that of the host. */
export const toSize = ({ cpus, memoryMB, diskMB }: Limits) => ({
  cpuCount: cpus,
  memoryMB,
  diskSizeMB: diskMB,
})

/** `Sandbox` of the control API: the answer of create and connect. */
export function toSandbox({ record }: Sandbox) {
  return {
    sandboxID: record.sandboxID,
    templateID: record.templateID,
    alias: record.alias,
    clientID,
    envdVersion,
    envdAccessToken: record.envdAccessToken,
    trafficAccessToken: record.trafficAccessToken ?? null,
    domain: null,
  }
}

/** `ListedSandbox`. */
export function toListed({ record, state, machine }: Sandbox) {
  const { sandboxID, templateID, alias, startedAt, endAt, metadata } = record
  return {
    sandboxID,
    templateID,
    alias,
    clientID,
    startedAt,
    endAt,
    state,
    ...toSize(machine.limits),
    envdVersion,
    metadata,
  }
}

/** `SandboxDetail`. */
export function toDetail(sandbox: Sandbox) {
  const { record } = sandbox
  return {
    ...toListed(sandbox),
    envdAccessToken: record.envdAccessToken,
    domain: null,
    allowInternetAccess: record.allowInternetAccess ?? null,
    network: withoutSecrets(record.network),
    lifecycle: { onTimeout: record.autoPause ? 'pause' : 'kill', autoResume: record.autoResume },
  }
}

function withoutSecrets({ rules, egressProxy, ...rest }: NetworkRules) {
  const { address, username } = egressProxy ?? {}
  return {
    ...rest,
    ...(rules && { rules: withoutValues(rules) }),
    ...(egressProxy && { egressProxy: { address, username } }),
  }
}
