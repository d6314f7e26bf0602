import type { z } from 'zod'
import { parseHostPort, type UpstreamProxy } from '../egress/dial.ts'
import { checkHeaderRules } from '../egress/header-rules.ts'
import { checkPolicy } from '../egress/policy.ts'
import { badRequest } from '../errors.ts'
import type { NewSandbox } from '../sandboxes/registry.ts'
import type { Origin } from '../templates/templates.ts'
import type { newSandbox } from './schemas.ts'

export const defaultSeconds = 300

/** A day: the longest that E2B's larger plan gives. */
export const maxTimeoutSeconds = 24 * 3600

/** What a create call asks for, with the defaults; throws HttpError 400 where it can't be had. */
export function parseCreate(
  body: z.infer<typeof newSandbox>,
  defaultTimeout: number,
  origin: Omit<Origin, 'disk'>,
): NewSandbox {
  const autoPause = body.autoPause ?? false
  const autoResume = body.autoResume?.enabled ?? false
  if (body.autoPauseMemory === false && !autoPause)
    throw badRequest('autoPauseMemory: false has a meaning only with autoPause; set autoPause too')
  if (body.autoPauseMemory === false && autoResume)
    throw badRequest('autoResume: needs memory to resume; leave it out or set autoPauseMemory to true')
  const wish: NewSandbox = {
    templateID: origin.templateID,
    alias: origin.alias,
    workdir: origin.workdir,
    start: origin.start,
    timeout: checkTimeout(body.timeout ?? defaultTimeout),
    metadata: body.metadata ?? {},
    envVars: { ...origin.envVars, ...body.envVars },
    autoPause,
    autoPauseMemory: body.autoPauseMemory ?? true,
    autoResume,
    allowInternetAccess: body.allow_internet_access,
    network: body.network ?? {},
  }
  checkNetwork(wish)
  return wish
}

/** Throws HttpError 400 for a timeout (in seconds) that can't be given. */
export function checkTimeout(seconds: number, least = 1): number {
  if (seconds >= least && seconds <= maxTimeoutSeconds) return seconds
  throw badRequest(`timeout: ${seconds} is out of range; give ${least} to ${maxTimeoutSeconds} seconds`)
}

/** Throws HttpError 400 for network rules that mean nothing, or not what they seem to. */
export function checkNetwork({
  allowInternetAccess,
  network,
}: Pick<NewSandbox, 'allowInternetAccess' | 'network'>): void {
  const { allowOut = [], denyOut = [], rules = {}, egressProxy } = network
  const problem =
    checkPolicy({ allowInternetAccess: allowInternetAccess ?? true, allowOut, denyOut }) ??
    checkHeaderRules(rules) ??
    (egressProxy && checkProxy(egressProxy))
  if (problem) throw badRequest(problem)
}

function checkProxy({ address, username, password }: UpstreamProxy): string | undefined {
  if (!parseHostPort(address))
    return `network.egressProxy.address: '${address}' is no host:port; write e.g. proxy.example.com:1080`
  if (password !== undefined && username === undefined)
    return 'network.egressProxy.password: is of no use alone; give the username too'
  const long = [username, password].some((text) => text !== undefined && !/^.{1,255}$/s.test(text))
  return long ? 'network.egressProxy: username and password have 1 to 255 bytes' : undefined
}
