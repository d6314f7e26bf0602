import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { METRICS } from '../../src/contract/metrics.ts'
import { FAILURES } from '../../src/contract/failures.ts'
import { agentJobJsonSchema } from '../../src/contract/spec.ts'

const telemetry = await readFile(new URL('../../docs/telemetry.md', import.meta.url), 'utf8')
const page = await readFile(new URL('../../docs/jobs.md', import.meta.url), 'utf8')

test.each(Object.entries(FAILURES))('docs/jobs.md tells of %s as the code does', (type, { next, remedy }) => {
  const row = page.split('\n').find((line) => line.startsWith(`| \`${type}\``))
  expect(row?.replaceAll(/\s+/g, ' ')).toBe(`| \`${type}\` | ${next} | ${remedy} |`)
})

test('docs/jobs.md has a row for every field of a spec', () => {
  const { properties } = agentJobJsonSchema() as { properties: Record<string, unknown> }
  for (const field of Object.keys(properties)) expect(page).toMatch(new RegExp(`^\\| \`${field}[.\`]`, 'm'))
})

test.each(Object.values(METRICS))(
  'docs/telemetry.md tells of $name as the code does',
  ({ name, kind, help }) => {
    const row = telemetry.split('\n').find((line) => line.startsWith(`| \`${name}`))
    const shown = kind === 'counter' ? `${name}_total` : name
    expect(row?.replaceAll(/\s+/g, ' ')).toBe(`| \`${shown}\` | ${kind} | ${help} |`)
  },
)
