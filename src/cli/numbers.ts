import { InvalidArgumentError } from '@commander-js/extra-typings'
import ms from 'ms'

/** The value of an option that counts. @throws InvalidArgumentError, which commander words with the option's name */
export function wholeNumber(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('Give a whole number, 0 or more.')
}

/** @throws InvalidArgumentError */
export function portNumber(text: string): number {
  const value = wholeNumber(text)
  if (value >= 1 && value <= 65_535) return value
  throw new InvalidArgumentError('Give a port from 1 to 65535.')
}

/** A time as people write it, in milliseconds. @throws InvalidArgumentError */
export function milliseconds(text: string): number {
  const value = ms((text.slice(0, 100) || 'none') as ms.StringValue)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('Give a time such as 90s, 20m or 7d.')
}
