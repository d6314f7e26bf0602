import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { FAILURES } from '../../src/contract/failures.ts'
import { agentJobJsonSchema } from '../../src/contract/spec.ts'

const page = await readFile(new URL('../../docs/jobs.md', import.meta.url), 'utf8')

test.each(Object.entries(FAILURES))('docs/jobs.md tells of %s as the code does', (type, { next, remedy }) => {
  const row = page.split('\n').find((line) => line.startsWith(`| \`${type}\``))
  expect(row?.replaceAll(/\s+/g, ' ')).toBe(`| \`${type}\` | ${next} | ${remedy} |`)
})

test('docs/jobs.md has a row for every field of a spec', () => {
  const { properties } = agentJobJsonSchema() as { properties: Record<string, unknown> }
  for (const field of Object.keys(properties)) expect(page).toMatch(new RegExp(`^\\| \`${field}[.\`]`, 'm'))
})
