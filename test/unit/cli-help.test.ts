import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { expect, test } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'

/** Every command that does something, with the words that call it. */
function leaves(command: CommandUnknownOpts, words: string[] = []): [string, CommandUnknownOpts][] {
  const called = [...words, command.name()]
  if (command.commands.length === 0) return [[called.join(' '), command]]
  return command.commands.flatMap((one) => leaves(one, called))
}

test.each(leaves(createProgram()))('help of %s has a description and an example', (words, command) => {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
  expect(command.description()).not.toBe('')
  expect(help).toMatch(new RegExp(`^ {2}\\$ .*${words}( |$)`, 'm'))
})
