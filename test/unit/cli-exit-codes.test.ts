import { describe, expect, test } from 'vitest'
import { EXIT, exitCodeOfFailure, exitCodeOfOutcome, exitCodeTable } from '../../src/cli/exit-codes.ts'
import { FAILURES, type FailureType } from '../../src/contract/failures.ts'

describe('exit codes', () => {
  test.each([
    ['Usage', 2],
    ['InvalidSpec', 2],
    ['InvalidQuery', 2],
    ['PayloadKeysInvalid', 2],
    ['JobNotFound', 4],
    ['SessionNotFound', 4],
    ['FileNotFound', 4],
    ['ServerUnreachable', 5],
    ['NoWorker', 5],
    ['WorkerStopping', 5],
    ['JobCancelled', 6],
    ['JobTerminated', 6],
    ['SpecConflict', 7],
    ['NotWaitingForReview', 7],
    ['NotWaitingForTool', 7],
    ['SandboxClosed', 7],
    ['InternalError', 70],
    ['Interrupted', 130],
    ['StackFailed', 1],
    ['CheckFailed', 1],
    ['BranchExists', 1],
    ['OutcomeUnknown', 1],
  ] as const)('%s ends with %i', (type, code) => expect(exitCodeOfFailure(type)).toBe(code))

  test('no failure ends with 0, and each code is in the table of --help', () => {
    for (const type of Object.keys(FAILURES) as FailureType[]) expect(exitCodeOfFailure(type)).not.toBe(0)
    for (const code of Object.values(EXIT))
      expect(exitCodeTable()).toMatch(new RegExp(`^  ${code} +\\S`, 'm'))
  })

  test('a completed job ends with 0, a rejected one with 3', () => {
    expect(exitCodeOfOutcome('completed')).toBe(0)
    expect(exitCodeOfOutcome('rejected')).toBe(3)
  })
})
