import { expect, test } from 'vitest'
import { gitFailureType, gitMessage } from '../../src/activities/lib/git-failures.ts'
import { parseShortstat } from '../../src/activities/job/git.ts'

test.each([
  ["fatal: repository 'http://h/x.git/' not found", 'RepositoryNotFound'],
  ["fatal: Authentication failed for 'http://h/x.git/'", 'GitAuthenticationFailed'],
  ["fatal: could not read Username for 'http://h': terminal prompts disabled", 'GitAuthenticationFailed'],
  ['fatal: Remote branch nope not found in upstream origin', 'BaseNotFound'],
  ["fatal: unable to access 'http://h/': The requested URL returned error: 403", 'PushForbidden'],
  ["fatal: unable to access 'http://h/': The requested URL returned error: 503", 'GitHostUnreachable'],
  [
    "fatal: unable to access 'http://h/': Failed to connect to h port 80: Connection refused",
    'GitHostUnreachable',
  ],
  [' ! [rejected]        abc -> b (stale info)', 'PushNotFastForward'],
  [' ! [rejected]        abc -> b (fetch first)', 'PushNotFastForward'],
  [' ! [remote rejected] abc -> b (pre-receive hook declined)', 'PushHookRejected'],
  ['error: error in sideband demultiplexer', 'GitHostUnreachable'],
  ['error: file write error: No space left on device', 'SandboxNoSpace'],
  ['something git never said', 'GitFailed'],
])('%s is %s', (message, type) => {
  expect(gitFailureType(message)).toBe(type)
})

test("git's telling line is picked out of its output", () => {
  expect(gitMessage("Cloning into 'x'...\nfatal: nope\nmore")).toBe('fatal: nope')
  expect(gitMessage('')).toBe('git gave no message')
})

test.each([
  [' 1 file changed, 2 insertions(+), 1 deletion(-)', { files: 1, insertions: 2, deletions: 1 }],
  [' 3 files changed, 1 deletion(-)', { files: 3, insertions: 0, deletions: 1 }],
  ['', { files: 0, insertions: 0, deletions: 0 }],
])('shortstat %j is read', (line, counts) => {
  expect(parseShortstat(line)).toEqual(counts)
})
