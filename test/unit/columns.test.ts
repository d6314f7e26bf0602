import { expect, test } from 'vitest'
import type { JobEventBody } from '../../src/contract/job.ts'
import { asPairs, columnsAtStart } from '../../src/contract/search-attributes.ts'
import { changedColumns, columnsOf, isNews } from '../../src/workflows/lib/columns.ts'
import { jobView } from '../support/job-view.ts'

const time = { since: 0, until: 1 }
const failure = { type: 'GitHostUnreachable', message: 'm', remedy: 'r' } as const

test.each([
  [
    { kind: 'review', answerWith: '', ...time },
    { waitingFor: 'review', reviewNeeded: true },
  ],
  [
    { kind: 'timer', ...time },
    { waitingFor: 'timer', reviewNeeded: false },
  ],
  [{ kind: 'notification', name: 'ci', answerWith: '', ...time }, { waitingFor: 'notification ci' }],
  [{ kind: 'outage', failure, ...time }, { waitingFor: 'outage GitHostUnreachable' }],
  [null, { waitingFor: 'nothing', reviewNeeded: false }],
] as const)('the columns of a job that waits for %o', (waitingFor, columns) => {
  expect(columnsOf(jobView({ waitingFor }))).toMatchObject(columns)
})

test.each([
  [null, 'open'],
  [{ outcome: 'completed' }, 'completed'],
  [{ outcome: 'cancelled' }, 'cancelled'],
  [{ outcome: 'failed', failure }, 'GitHostUnreachable'],
] as const)('the outcome of a job that ended with %o is %s', (ended, outcome) => {
  expect(columnsOf(jobView({ ended })).outcome).toBe(outcome)
})

test('only what has changed since the start is upserted', () => {
  const { repo, branch, phase } = jobView()
  const changed = changedColumns(columnsAtStart({ repo, branch }), columnsOf(jobView()))
  expect(changed).toEqual({ phase, sandboxId: 'i3x', sandboxState: 'running', owner: 'holdfast' })
})

test('a higher cost is upserted with what else has changed, and not alone', () => {
  const before = columnsOf(jobView())
  const cost = { ...jobView().cost, usd: 2 }
  expect(changedColumns(before, columnsOf(jobView({ cost })))).toEqual({})
  expect(changedColumns(before, columnsOf(jobView({ cost, phase: 'push' })))).toEqual({
    phase: 'push',
    costUsd: 2,
  })
})

test('a keyword is cut to what an SQL server takes', () => {
  const pairs = asPairs(columnsAtStart({ repo: { url: 'x'.repeat(300) }, branch: 'b' }))
  expect(pairs.find(({ key }) => key.name === 'HoldfastRepo')?.value).toHaveLength(255)
})

const still = { waitIsOver: false, ms: 0 }
test.each([
  [{ type: 'phase', phase: 'steps' }, still, true],
  [{ type: 'phase', phase: 'checks' }, still, false],
  [{ type: 'phase', phase: 'checks' }, { waitIsOver: false, ms: 60_000 }, true],
  [{ type: 'phase', phase: 'review' }, { waitIsOver: false, ms: 60_000 }, false],
  [{ type: 'phase', phase: 'commit' }, { waitIsOver: true, ms: 0 }, true],
  [{ type: 'phase', phase: 'cleanUp' }, { waitIsOver: true, ms: 0 }, false],
  [{ type: 'phase', phase: 'done' }, still, true],
  [{ type: 'stepStarted', step: 0, kind: 'run', name: 'x', round: 1 }, still, false],
  [{ type: 'stepStarted', step: 0, kind: 'run', name: 'x', round: 1 }, { waitIsOver: true, ms: 0 }, true],
  [{ type: 'reviewRequested', round: 1, files: 0, insertions: 0, deletions: 0, until: 0 }, still, true],
  [{ type: 'committed', commit: 'c' }, { waitIsOver: true, ms: 60_000 }, false],
] as [JobEventBody, typeof still, boolean][])('%o after %o is news: %s', (event, since, news) => {
  expect(isNews(event, since)).toBe(news)
})
