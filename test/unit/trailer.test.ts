import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTrailer, TrailerReader } from '../../src/activities/lib/trailer.ts'

const NONCE = '5b1f3c52-nonce'
const b64 = (text: string): string => `=${Buffer.from(text).toString('base64')}`

test('however the stream is cut, the output comes through whole and the trailer is found', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('\n', `\n${NONCE.slice(0, 6)}`, NONCE, '\n\n', '✓'))
  fc.assert(
    fc.property(fc.array(piece), fc.integer({ min: 1, max: 9 }), (pieces, size) => {
      const output = pieces.join('').replaceAll(`\n${NONCE} `, '')
      const stream = `${output}\n${NONCE} 7 0 10 20 ${output.length} ${b64(output)} - 0 ${b64('')} -\n`
      let seen = ''
      const reader = new TrailerReader(NONCE, (text) => (seen += text))
      for (let at = 0; at < stream.length; at += size) reader.push(stream.slice(at, at + size))
      expect(seen).toBe(output)
      expect(reader.end()).toMatchObject({ kind: 'exited', exitCode: 7, startedAt: 10, finishedAt: 20 })
    }),
  )
})

test('a stream that ends in the middle of the trailer has none', () => {
  const whole = `out\n${NONCE} 0 0 1 2 3 ${b64('out')} - 0 = -\n`
  for (let length = 0; length < whole.length; length++) {
    const reader = new TrailerReader(NONCE, () => undefined)
    reader.push(whole.slice(0, length))
    expect(reader.end()).toBeUndefined()
  }
})

test('an unknown outcome keeps the output that is there', () => {
  expect(parseTrailer(`unknown 3 ${b64('abc')} - 0 = -`)).toEqual({
    kind: 'unknown',
    stdout: { head: 'abc', tail: '', bytes: 3 },
    stderr: { head: '', tail: '', bytes: 0 },
  })
})

test.each(['', 'x', '0 0 1 2', '0 0 1 2 3 = -', 'a b c d 1 = - 1 = -'])('%j is no trailer', (line) => {
  expect(parseTrailer(line)).toBeUndefined()
})
