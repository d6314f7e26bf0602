/** A use of secrets that is allowed. */
export interface SecretRule {
  /** The name of a secret, or `*` for every one. */
  secret: string
  /** URLs that a repository's begins with, such as `https://git.example/acme/`. */
  urls: string[]
  /** Of workers, where several share their rules: those of these deployments and task queues, or all. */
  owners?: string[] | undefined
  taskQueues?: string[] | undefined
}

/** The rules of one worker. */
export const rulesOf = (rules: SecretRule[], worker: { owner: string; taskQueue: string }): SecretRule[] =>
  rules.filter(
    ({ owners = [worker.owner], taskQueues = [worker.taskQueue] }) =>
      owners.includes(worker.owner) && taskQueues.includes(worker.taskQueue),
  )

/** Why a secret may not be used for a repository, or undefined where it may. Without rules every use is allowed. */
export function forbiddenUse(rules: SecretRule[] | undefined, name: string, url: string): string | undefined {
  if (!rules) return undefined
  const { origin, pathname } = new URL(url)
  // A server may read these as the slashes that a rule ends with.
  if (/%2f|%5c|\\/i.test(pathname)) return `the path of ${origin}${pathname} has an encoded slash`
  const allowed = rules
    .filter(({ secret }) => secret === name || secret === '*')
    .flatMap(({ urls }) => urls.map((rule) => new URL(rule)))
    .some((rule) => rule.origin === origin && pathname.startsWith(rule.pathname))
  return allowed ? undefined : `the secret ${name} may not be used for ${origin}${pathname}`
}
