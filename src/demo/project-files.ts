/** The demo's project, file by file: a small library without dependencies, tested by `node --test`. */

export const PACKAGE_JSON = `{
  "name": "tidy-duration",
  "version": "0.3.0",
  "description": "Durations as people write them: parse and format",
  "license": "Apache-2.0",
  "type": "module",
  "exports": "./src/index.js",
  "engines": { "node": ">=20" },
  "scripts": { "test": "node --test" }
}
`

export const README = `# tidy-duration

Durations as people write them.

    import { format, parse } from 'tidy-duration'

    parse('1h 30m') // 5400000
    format(5_400_000) // '1h 30m'
    format(93_784_000, { parts: 4 }) // '1d 2h 3m 4s'

No dependencies. The tests run with: npm test
`

export const UNITS = `// Largest first: both parsing and formatting go from large to small.
export const UNITS = [
  { name: 'd', size: 86_400_000 },
  { name: 'h', size: 3_600_000 },
  { name: 'm', size: 60_000 },
  { name: 's', size: 1_000 },
]
`

export const PARSE = String.raw`import { UNITS } from './units.js'

const PART = /^(\d+(?:\.\d+)?)(d|h|m|s)$/

/** Milliseconds of a duration such as '1h 30m'. Throws a RangeError where it is none. */
export function parse(text) {
  const parts = text.trim().split(/\s+/)
  let total = 0
  let smallestSoFar = Infinity
  for (const part of parts) {
    const [, count, name] = PART.exec(part) ?? []
    const unit = UNITS.find((unit) => unit.name === name)
    if (unit === undefined) throw new RangeError('not a duration: ' + text)
    if (unit.size >= smallestSoFar) throw new RangeError('units must go from large to small: ' + text)
    smallestSoFar = unit.size
    total += Number(count) * unit.size
  }
  return total
}
`

export const PARSE_TEST = `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from '../src/parse.js'

test('parses one unit', () => {
  assert.equal(parse('90s'), 90_000)
  assert.equal(parse('1.5h'), 5_400_000)
})

test('adds several units', () => {
  assert.equal(parse('1d 2h 3m 4s'), 93_784_000)
})

test('refuses what is no duration', () => {
  for (const text of ['', 'soon', '5 m', '-1s']) assert.throws(() => parse(text), RangeError)
})

test('refuses units out of order', () => {
  assert.throws(() => parse('5s 1m'), RangeError)
  assert.throws(() => parse('1m 2m'), RangeError)
})
`

/** Wrong where the smallest unit rounds up to a whole larger one: 3,599,600 ms gives `59m 60s`. */
export const FORMAT = `import { UNITS } from './units.js'

/**
 * A duration in its largest units, rounded to the smallest one shown: format(5_400_000) is '1h 30m'.
 * parts: how many units to show at most.
 */
export function format(milliseconds, { parts = 2 } = {}) {
  if (!(milliseconds >= 0 && milliseconds < Infinity)) throw new RangeError('not a duration: ' + milliseconds)

  const first = UNITS.findIndex((unit) => unit.size <= milliseconds)
  if (first === -1) return Math.round(milliseconds / 1_000) + 's'

  const last = Math.min(first + parts, UNITS.length) - 1
  const words = []
  let rest = milliseconds
  for (let i = first; i <= last; i++) {
    const { name, size } = UNITS[i]
    const count = i === last ? Math.round(rest / size) : Math.floor(rest / size)
    rest -= count * size
    if (count > 0) words.push(count + name)
  }
  return words.join(' ')
}
`

export const FORMAT_TEST = `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { format } from '../src/format.js'

test('shows the two largest units', () => {
  assert.equal(format(5_400_000), '1h 30m')
  assert.equal(format(93_784_000), '1d 2h')
})

test('leaves out units that are zero', () => {
  assert.equal(format(3_600_000), '1h')
  assert.equal(format(0), '0s')
})

test('shows as many units as asked for', () => {
  assert.equal(format(93_784_000, { parts: 4 }), '1d 2h 3m 4s')
  assert.equal(format(93_784_000, { parts: 1 }), '1d')
})

test('rounds the smallest unit shown', () => {
  assert.equal(format(90_400), '1m 30s')
  assert.equal(format(90_500), '1m 31s')
})

test('refuses what is no duration', () => {
  assert.throws(() => format(-1), RangeError)
  assert.throws(() => format(NaN), RangeError)
})
`

/** The test that fails until `format` is mended. */
export const CARRY_TEST = `
test('carries a unit that rounds up to a whole larger one', () => {
  assert.equal(format(3_599_600), '1h')
})
`

export const INDEX = `export { format } from './format.js'
export { parse } from './parse.js'
`
