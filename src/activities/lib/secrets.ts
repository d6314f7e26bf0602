import { failure } from '../../contract/failure.ts'
import { type Cut, isMaskable, Mask, MIN_SECRET } from './mask.ts'
import { forbiddenUse, type SecretRule } from './secret-policy.ts'

/** The value of a secret, by name; asked at each use, so that a rotated one is taken up. */
export type SecretProvider = (name: string) => string | undefined

/** Resolves references to secrets. Values stay in this process: nothing returns them to a workflow. */
export interface SecretStore {
  /**
   * @param url of the repository or host that it is for
   * @throws `SecretForbidden` where a rule of this worker is against it, `SecretMissing` where it has none of that name
   */
  resolve(name: string, url: string): string
  /** The text with every value that is known replaced by `***`. */
  redact(text: string, cut?: Cut): string
  /** How many characters at the end of a text may be the beginning of such a value: for what is redacted piece by piece. */
  heldBack(text: string): number
}

interface SecretStoreOptions {
  /** Values to take out of texts even before anything resolves them. */
  known?: string[]
  /** Which uses are allowed; all where left out. */
  rules?: SecretRule[] | undefined
}

/** @param providers are asked in order */
export function createSecretStore(
  providers: SecretProvider[],
  { known = [], rules }: SecretStoreOptions = {},
): SecretStore {
  const mask = new Mask()
  for (const value of known) mask.add(value)
  return {
    resolve(name, url) {
      const problem = forbiddenUse(rules, name, url)
      if (problem) throw failure('SecretForbidden', problem)
      const value = valueOf(name, providers)
      if (!isMaskable(value))
        throw failure(
          'SecretMissing',
          `the secret ${name} has fewer than ${MIN_SECRET} characters, and could not be masked in outputs`,
        )
      mask.add(value)
      return value
    },
    redact: (text, cut) => mask.redact(text, cut),
    heldBack: (text) => mask.heldBack(text),
  }
}

function valueOf(name: string, providers: SecretProvider[]): string {
  for (const provider of providers) {
    const value = provider(name)
    if (value) return value
  }
  throw failure('SecretMissing', `this worker has no secret named ${name}`)
}
