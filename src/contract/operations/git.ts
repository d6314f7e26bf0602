import { z } from 'zod'
import { checked, oneLine, secretRef, text, urlProblem } from '../fields.ts'
import { branchNameProblem } from '../git-names.ts'
import { sandboxPath as path, user } from './commands.ts'

const branch = checked(branchNameProblem)
const remote = oneLine(100)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*$/, 'is not the name of a remote')
  .default('origin')
const url = checked(urlProblem)

/** Credentials of this one command: in its environment only. */
const auth = secretRef.extend({ username: oneLine(100).default('x-access-token') })

const timeoutMs = z
  .int()
  .min(1)
  .max(60 * 60_000)
  .default(10 * 60_000)
const at = { path: path.describe('The repository'), user: user.optional() }

export const gitInputs = {
  'git.clone': z
    .strictObject({
      url,
      path: path.optional().describe("Where to; a folder of the repository's name by default"),
      branch: branch.optional(),
      depth: z.int().min(1).max(1_000_000).optional(),
      auth: auth.optional(),
      dangerouslyStoreCredentials: z
        .boolean()
        .default(false)
        .describe('Leave the credentials in the URL of the remote, where all in the sandbox can read them'),
      user: user.optional(),
      timeoutMs,
    })
    .refine((input) => !input.dangerouslyStoreCredentials || input.auth, {
      path: ['auth'],
      message: 'is missing: dangerouslyStoreCredentials needs credentials to store',
    }),
  'git.configureUser': z.strictObject({
    name: oneLine(200),
    email: oneLine(200),
    path: path.optional().describe('One repository; all of the user by default'),
    user: user.optional(),
  }),
  'git.createBranch': z.strictObject({ ...at, branch }),
  'git.checkout': z.strictObject({ ...at, branch }),
  'git.add': z.strictObject({
    ...at,
    files: z.array(oneLine(4096)).max(1_000).optional().describe('All by default'),
  }),
  'git.commit': z.strictObject({
    ...at,
    message: text(16 * 1024).min(1),
    author: z
      .strictObject({ name: oneLine(200), email: oneLine(200).regex(/^[^<>]*$/, 'has < or >') })
      .optional(),
    allowEmpty: z.boolean().default(false),
  }),
  'git.push': z.strictObject({
    ...at,
    remote,
    branch: branch.optional().describe('The current one by default'),
    setUpstream: z.boolean().default(true),
    auth: auth.optional(),
    timeoutMs,
  }),
  'git.pull': z.strictObject({ ...at, remote, branch: branch.optional(), auth: auth.optional(), timeoutMs }),
  'git.status': z.strictObject(at),
  'git.branches': z.strictObject(at),
  'git.dangerouslyAuthenticate': z
    .strictObject({ host: url, auth, user: user.optional() })
    .describe("Stores the credentials in the user's home, for every git command there until it is removed"),
}
