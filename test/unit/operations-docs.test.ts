import { readFile } from 'node:fs/promises'
import { runInNewContext } from 'node:vm'
import type { Client } from '@temporalio/client'
import { expect, test } from 'vitest'
import { lifecycleActivities } from '../../src/activities/lifecycle.ts'
import { sessionActivities } from '../../src/activities/sessions.ts'
import type { ActivityDeps } from '../../src/activities/lib/deps.ts'
import type { Outputs } from '../../src/client/outputs.ts'
import { Session } from '../../src/client/session.ts'
import { OPERATION_INPUTS } from '../../src/contract/operations/inputs.ts'
import {
  ACCOUNT_OPERATIONS,
  SANDBOX_OPERATIONS,
  type AccountOperationName,
} from '../../src/contract/operations/table.ts'

const page = await readFile(new URL('../../docs/e2b-operations.md', import.meta.url), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
const nameOf = ([first = '']: string[]): string => first.replaceAll('`', '')
const codeOf = (row: string[]): string => row.at(-1)?.replace(/^`(.*)`$/, '$1') ?? ''

const none = {} as ActivityDeps
const UPDATES = ['pause', 'resume', 'hold', 'fork', 'close']

test('docs/e2b-operations.md has one row for every operation, activity and update, and none for anything else', () => {
  const expected = [
    ...Object.keys(SANDBOX_OPERATIONS),
    ...Object.keys(ACCOUNT_OPERATIONS),
    ...Object.keys(lifecycleActivities(none)),
    ...Object.keys(sessionActivities(none)),
    ...UPDATES,
  ]
  expect(rows.map(nameOf).sort()).toEqual(expected.sort())
})

/** What the line of code asks a session for. */
async function asked(code: string): Promise<unknown[]> {
  const names: unknown[] = []
  const handle = {
    executeUpdate: (update: string | { name: string }) => {
      names.push(typeof update === 'string' ? update : update.name)
      return Promise.resolve({})
    },
    result: () => Promise.resolve(),
  }
  const client = { workflow: { getHandle: () => handle } } as unknown as Client
  await runInNewContext(code, { session: new Session(client, {} as Outputs, 'dev') })
  return names
}

test.each(rows.filter((row) => nameOf(row) in SANDBOX_OPERATIONS || UPDATES.includes(nameOf(row))))(
  'the row of %s has a line of code that asks a session for it with an input that it takes',
  async (...row) => {
    expect(await asked(codeOf(row))).toEqual([nameOf(row)])
  },
)

test.each(rows.filter((row) => codeOf(row).startsWith('performOnAccount')))(
  'the row of %s has a line of code that performs it with an input that it takes',
  (...row) => {
    const asked: string[] = []
    const performOnAccount = (name: AccountOperationName, input: unknown): void => {
      OPERATION_INPUTS[name].parse(input)
      asked.push(name)
    }
    runInNewContext(codeOf(row), { performOnAccount })
    expect(asked).toEqual([nameOf(row)])
  },
)

test('each row says whether a session does it in turn', () => {
  const ordered = rows.filter((row) => nameOf(row) in SANDBOX_OPERATIONS)
  expect(Object.fromEntries(ordered.map((row) => [nameOf(row), row[2]]))).toEqual(
    Object.fromEntries(Object.entries(SANDBOX_OPERATIONS).map(([name, { order }]) => [name, order])),
  )
})
