import { failure } from '../../contract/failure.ts'
import { partialMatch } from './partial-match.ts'

/** Resolves references to secrets. Values stay in this process: nothing returns them to a workflow. */
export interface SecretStore {
  /** @throws `SecretMissing` where this worker has no secret of that name */
  resolve(name: string): string
  /** The text with every value that was ever resolved replaced by `***`. */
  redact(text: string): string
  /** How many characters at the end of a text may be the beginning of such a value: for what is redacted piece by piece. */
  heldBack(text: string): number
}

/** Shorter values are words of their own, and taking them out would only spoil the text. */
const HIDDEN_FROM = 8

/**
 * A store over a look-up, such as one in the worker's environment.
 *
 * @param known values to take out of texts even before anything resolves them
 */
export function createSecretStore(
  lookup: (name: string) => string | undefined,
  known: string[] = [],
): SecretStore {
  const values = new Set<string>()
  const hide = (value: string): void => {
    values.add(value)
    values.add(Buffer.from(value).toString('base64'))
    values.add(encodeURIComponent(value))
    values.add(JSON.stringify(value).slice(1, -1))
  }
  known.filter(({ length }) => length >= HIDDEN_FROM).forEach(hide)
  return {
    resolve(name) {
      const value = lookup(name)
      if (!value) throw failure('SecretMissing', `this worker has no secret named ${name}`)
      hide(value)
      return value
    },
    heldBack: (text) => Math.max(0, ...[...values].map((value) => partialMatch(text, value))),
    redact: (text) => [...values].reduce((masked, value) => masked.replaceAll(value, '***'), text),
  }
}
