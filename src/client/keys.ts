import { describeProblems, parse } from '../contract/parse.ts'
import { encryptionKeys, encryptionKeysFile, type KeyRing, NO_KEYS } from '../payloads/keys.ts'
import { HoldfastError } from './errors.ts'

/** The keys that were given, or those of the environment. @throws HoldfastError `PayloadKeysInvalid` */
export function keysOfClient(given: string | undefined, env: NodeJS.ProcessEnv = process.env): KeyRing {
  const text = given ?? env.HOLDFAST_ENCRYPTION_KEYS
  const file = env.HOLDFAST_ENCRYPTION_KEYS_FILE
  if (!text && !file) return NO_KEYS
  const parsed = text ? parse(encryptionKeys, text) : parse(encryptionKeysFile, file)
  if (parsed.ok) return parsed.value
  const field = text ? 'HOLDFAST_ENCRYPTION_KEYS' : 'HOLDFAST_ENCRYPTION_KEYS_FILE'
  const problems = parsed.problems.map(({ problem }) => ({ field, problem }))
  throw new HoldfastError('PayloadKeysInvalid', describeProblems(problems), { problems })
}
