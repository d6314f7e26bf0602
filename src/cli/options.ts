import { InvalidArgumentError } from '@commander-js/extra-typings'

/** Collects `NAME=value` from an option that is given several times. @throws InvalidArgumentError */
export function addVariable(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('Give NAME=value.')
  return { ...earlier, [text.slice(0, at)]: text.slice(at + 1) }
}
