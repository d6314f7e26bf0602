import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTrailer, TrailerReader } from '../../src/activities/lib/trailer.ts'

const NONCE = '5b1f3c52-nonce'
const MARK = `\n${NONCE} `

/** As the runner writes it. */
const trailer = (record: string, stdout: string, stderr = '', streamed = 1): string =>
  `${MARK}${record} ${stdout.length} ${stderr.length} ${streamed}\n${stdout}${MARK}${MARK}${stderr}${MARK}${MARK}`

test('however the stream is cut, the output comes through whole and the trailer is found', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('\n', `\n${NONCE.slice(0, 6)}`, NONCE, '\n\n', '✓'))
  fc.assert(
    fc.property(fc.array(piece), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
      const output = pieces.join('')
      // The nonce is new for each command, which is not told of it. A head stands behind a line's end.
      fc.pre(!`\n${output}`.includes(MARK))
      const stream = output + trailer('7 0 10 20', output)
      let seen = ''
      const reader = new TrailerReader(NONCE, (text) => (seen += text))
      for (let at = 0; at < stream.length; at += size) reader.push(stream.slice(at, at + size))
      expect(seen).toBe(output)
      expect(reader.end()).toEqual({
        kind: 'exited',
        exitCode: 7,
        timedOut: false,
        startedAt: 10,
        finishedAt: 20,
        stdout: { head: output, tail: '', bytes: output.length },
        stderr: { head: '', tail: '', bytes: 0 },
        streamed: true,
      })
    }),
  )
})

test('a stream that ends in the middle of the trailer has none', () => {
  const whole = `out${trailer('0 0 1 2', 'out', 'err')}`
  for (let length = 0; length < whole.length; length++) {
    const reader = new TrailerReader(NONCE, () => undefined)
    reader.push(whole.slice(0, length))
    expect(reader.end()).toBeUndefined()
  }
})

test('an unknown outcome keeps the output that is there', () => {
  expect(parseTrailer(trailer('unknown', 'abc', '', 0).slice(MARK.length), MARK)).toEqual({
    kind: 'unknown',
    stdout: { head: 'abc', tail: '', bytes: 3 },
    stderr: { head: '', tail: '', bytes: 0 },
    streamed: false,
  })
})

test.each(['', 'x', '0 0 1 2', '0 0 1 2 3 0 1', 'a b c d 1 1 1'])('%j is no trailer', (line) => {
  expect(parseTrailer(line, MARK)).toBeUndefined()
  expect(parseTrailer(`${line}\n${MARK}${MARK}`, MARK)).toBeUndefined()
})
