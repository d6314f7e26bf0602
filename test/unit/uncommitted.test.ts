import { expect, test } from 'vitest'
import { eventsOfCommands, isAheadOfHistory, isWithoutTask } from '../../src/workflows/lib/uncommitted.ts'

const signal = { signalWorkflow: {} }
const completed = { resolveActivity: { result: { completed: {} } } }
const failed = { resolveActivity: { result: { failed: {} } } }

test.each([
  // The end of the task, what came, and the next task scheduled and started: 28 to 31; two commands have no room there.
  { last: 27, commandEvents: 2, next: 31, jobs: [signal], ahead: true },
  { last: 27, commandEvents: 2, next: 33, jobs: [signal], ahead: false },
  { last: 27, commandEvents: 1, next: 31, jobs: [signal], ahead: true },
  { last: 27, commandEvents: 1, next: 32, jobs: [completed], ahead: true },
  { last: 27, commandEvents: 1, next: 33, jobs: [completed], ahead: false },
  { last: 27, commandEvents: 1, next: 32, jobs: [failed], ahead: false },
  { last: 27, commandEvents: 1, next: 30, jobs: [{ doUpdate: {} }], ahead: true },
  { last: 27, commandEvents: 1, next: 31, jobs: [{ doUpdate: {} }], ahead: false },
  // Events that are no job's, such as a task that found no worker in time.
  { last: 27, commandEvents: 3, next: 36, jobs: [{ fireTimer: {} }], ahead: false },
  // A task with an update that was refused leaves nothing in the history.
  { last: 27, commandEvents: 0, next: 27, jobs: [signal], ahead: false },
])(
  'after $last events and commands that become $commandEvents, $next events with $jobs: ahead is $ahead',
  ({ last, commandEvents, next, jobs, ahead }) => {
    expect(isAheadOfHistory({ historyLength: last, commandEvents }, { historyLength: next, jobs })).toBe(
      ahead,
    )
  },
)

test('commands that are taken back in the same task, and those that Temporal may drop, are not counted on', () => {
  expect(
    eventsOfCommands([
      { startTimer: { seq: 1 } },
      { startTimer: { seq: 2 } },
      { cancelTimer: { seq: 2 } },
      { scheduleActivity: { seq: 2 } },
      { scheduleActivity: { seq: 3 } },
      { requestCancelActivity: { seq: 3 } },
      { upsertWorkflowSearchAttributes: {} },
      { modifyWorkflowProperties: {} },
      { setPatchMarker: { patchId: 'x' } },
      { respondToQuery: { queryId: 'x' } },
    ]),
  ).toBe(4)
})

test.each([
  { before: undefined, here: { historyLength: 3, time: '1 0' }, without: false },
  { before: { historyLength: 38, time: '1 0' }, here: { historyLength: 41, time: '1 0' }, without: true },
  { before: { historyLength: 38, time: '1 0' }, here: { historyLength: 42, time: '1 1' }, without: false },
  // What the workflow does in the same task once more, such as to see an activity cancelled.
  { before: { historyLength: 38, time: '1 0' }, here: { historyLength: 38, time: '1 0' }, without: false },
])('from $before to $here is without a task: $without', ({ before, here, without }) => {
  expect(isWithoutTask(before, here)).toBe(without)
})
