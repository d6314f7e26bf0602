import { expect, test, vi } from 'vitest'
import { SEARCH_ATTRIBUTES } from '../../src/contract/search-attributes.ts'
import { registerSearchAttributes } from '../../src/runtime/search-attributes.ts'

const names = Object.values(SEARCH_ATTRIBUTES).map(({ name }) => name)
const server = (there: string[], add: () => Promise<unknown>) => {
  const customAttributes = Object.fromEntries(there.map((name) => [name, 2]))
  const operatorService = {
    listSearchAttributes: async () => ({ customAttributes }),
    addSearchAttributes: add,
  }
  return { operatorService } as unknown as Parameters<typeof registerSearchAttributes>[0]
}

test('on a server that has them all nothing is added', async () => {
  const add = vi.fn<() => Promise<unknown>>()
  expect(await registerSearchAttributes(server(names, add), 'default')).toBeUndefined()
  expect(add).not.toHaveBeenCalled()
})

test('a server that refuses is answered with the command for those that are missing', async () => {
  const refuse = () => Promise.reject(new Error('permission denied'))
  const problem = await registerSearchAttributes(server(names.slice(1), refuse), 'prod')
  expect(problem).toContain('permission denied')
  expect(problem).toContain(
    'temporal operator search-attribute create --namespace prod --name HoldfastRepo --type Keyword;',
  )
  expect(problem).not.toContain('HoldfastPhase')
})
