import type { FailureType } from '../../contract/failures.ts'

/** The first rule that matches git's message (in the C locale) names the failure. Order matters: the particular first. */
const RULES: [RegExp, FailureType][] = [
  [/Remote branch .* not found|couldn't find remote ref/i, 'BaseNotFound'],
  [
    /Authentication failed|could not read (Username|Password)|HTTP 401|error: 401|Invalid username or (password|token)/i,
    'GitAuthenticationFailed',
  ],
  [/pre-receive hook declined|hook declined|protected branch|remote rejected/i, 'PushHookRejected'],
  [/stale info|non-fast-forward|fetch first|\[rejected\]/i, 'PushNotFastForward'],
  [/error: 403|HTTP 403|Permission .* denied|not authorized to push/i, 'PushForbidden'],
  [
    /repository .* not found|error: 404|HTTP 404|does not appear to be a git repository/i,
    'RepositoryNotFound',
  ],
  [/No space left on device/i, 'SandboxNoSpace'],
  [
    /Could not resolve (host|proxy)|Connection (refused|reset|timed out)|Failed to connect|error: 5\d\d|HTTP 5\d\d|early EOF|sideband|unexpected disconnect|transfer closed|curl \d+ |hung up unexpectedly|Empty reply|RPC failed|gnutls_handshake|SSL_ERROR/i,
    'GitHostUnreachable',
  ],
]

/** The failure that git's message tells of; `GitFailed` where no rule knows it. */
export const gitFailureType = (message: string): FailureType =>
  RULES.find(([pattern]) => pattern.test(message))?.[1] ?? 'GitFailed'

/** The line of git's output that says most, for people. */
export function gitMessage(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  return (
    lines.find((line) => /^(fatal|error|remote: error|! )/.test(line)) ??
    lines.at(-1) ??
    'git gave no message'
  )
}
