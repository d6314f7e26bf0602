import { randomInt } from 'node:crypto'

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** An id of the platform's form: 20 letters and digits, after `prefix`. */
export function randomId(prefix = ''): string {
  const rest = Array.from({ length: 20 - prefix.length }, () => alphabet[randomInt(alphabet.length)])
  return prefix + rest.join('')
}
