import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { workflowBundle } from '../../src/runtime/workflow-bundle.ts'

let code: string
let modules: string[]
beforeAll(async () => {
  code = await readFile(await workflowBundle(), 'utf8')
  const map = /sourceMappingURL=data:application\/json[^,]*,([A-Za-z0-9+/=]+)/.exec(code)?.[1]
  const { sources } = JSON.parse(Buffer.from(map ?? '', 'base64').toString('utf8')) as { sources: string[] }
  modules = sources
})

test('the workflow bundle holds workflows, contract and nothing else of ours', () => {
  const ours = modules.flatMap(
    (name) => /\/src\/([^/]+)\//.exec(name.replace(/.*node_modules.*/, ''))?.[1] ?? [],
  )
  expect(new Set(ours)).toEqual(new Set(['workflows', 'contract']))
})

test.each(['zod', 'e2b', 'yaml', 'pino', '@temporalio/client', '@temporalio/activity', '@temporalio/worker'])(
  'the workflow bundle is free of %s',
  (name) => {
    expect(modules.filter((module) => module.includes(`node_modules/${name}/`))).toEqual([])
  },
)

test('the workflow bundle stays under 2.7 MB, source map and all', () => {
  expect(code.length).toBeLessThan(2_700_000)
})
