import { expect, test } from 'vitest'
import { unshown } from '../../src/cli/live-output.ts'
import { outputText } from '../../src/contract/output.ts'

const exactly = (bytes: number) => ({ atLeast: bytes, atMost: bytes })
const cut = { text: outputText({ head: 'head', tail: 'tail', bytes: 100 }), bytes: 100 }

test.each([
  ['all was shown: nothing', { text: 'one\ntwo\n', bytes: 8 }, exactly(8), '', 0],
  ['nothing was shown: all that the outcome has', cut, exactly(0), cut.text, 100],
  ['the last part was not kept: it', { text: 'one\ntwo\n', bytes: 8 }, exactly(4), 'two\n', 4],
  ['the rest is longer than the outcome has: its end', cut, exactly(50), 'tail', 50],
  ['only some of the tail is missing: that', cut, exactly(98), 'il', 2],
  ['U+FFFD stood for more bytes: nothing', { text: '��', bytes: 4 }, { atLeast: 2, atMost: 6 }, '', 0],
] as const)('%s', (_, outcome, shown, text, bytes) =>
  expect(unshown(outcome, shown)).toEqual({ text, bytes }),
)
