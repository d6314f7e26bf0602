import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Keys } from '../../src/cli/terminal/keys.ts'

/** What is sent of what is typed, in pieces, and whether it detached. */
function typed(...pieces: string[]): [sent: string, detached: boolean] {
  const keys = new Keys()
  let sent = ''
  for (const piece of pieces) {
    const { send, detach } = keys.take(Buffer.from(piece))
    sent += Buffer.from(send).toString()
    if (detach) return [sent, true]
  }
  return [sent, false]
}

test.each<[what: string, pieces: string[], sent: string, detached: boolean]>([
  ['~. at the very beginning detaches', ['~.'], '', true],
  ['~. after Enter detaches, and what was before it is sent', ['ls\r~.'], 'ls\r', true],
  ['the keys may come one by one', ['\r', '~', '.'], '\r', true],
  ['what is behind them is dropped', ['\r~.rm'], '\r', true],
  ['~. within a line is sent', ['cat a~.txt'], 'cat a~.txt', false],
  ['~~ at the start of a line is one tilde', ['~~.'], '~.', false],
  ['a tilde before anything else is sent with it', ['~/bin/run\r'], '~/bin/run\r', false],
  ['a tilde before Enter is sent, and the next line is one', ['~\r~.'], '~\r', true],
  [
    'Ctrl-C, Ctrl-D, Ctrl-] and escape sequences pass',
    ['\u0003\u0004\u001D\u001B[A'],
    '\u0003\u0004\u001D\u001B[A',
    false,
  ],
])('%s', (_, pieces, sent, detached) => {
  expect(typed(...pieces)).toEqual([sent, detached])
})

test('what has no tilde passes byte by byte, in whatever pieces it comes', () => {
  const bytes = fc.uint8Array().map((all) => all.filter((key) => key !== 0x7e))
  fc.assert(
    fc.property(fc.array(bytes), (pieces) => {
      const keys = new Keys()
      const sent = pieces.flatMap((piece) => [...keys.take(piece).send])
      expect(sent).toEqual(pieces.flatMap((piece) => [...piece]))
    }),
  )
})
