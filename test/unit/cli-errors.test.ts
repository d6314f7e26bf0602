import pc from 'picocolors'
import { describe, expect, test } from 'vitest'
import { CliError, formatError, reportError } from '../../src/cli/errors.ts'
import { HoldfastError } from '../../src/client/errors.ts'

const plain = pc.createColors(false)

describe('errors for people and programs', () => {
  test('a failure of the job is told with type, words, output, kept sandbox and remedy', () => {
    const error = new HoldfastError('CheckFailed', '"npm test" exited with 1', {
      report: {
        type: 'CheckFailed',
        message: '"npm test" exited with 1',
        remedy: 'unused',
        output: 'ok 1\n\u001b[31mnot ok 2\u001b[0m\n',
        keptSandboxId: 'sbx1',
      },
    })
    expect(formatError(reportError(error), plain)).toBe(
      [
        'error CheckFailed: "npm test" exited with 1',
        '  │ ok 1',
        '  │ not ok 2',
        'kept: the sandbox sbx1, paused',
        "remedy: read the check's output; the sandbox is kept if `keep` says so",
      ].join('\n'),
    )
  })

  test('each wrong field has a line, with file, line and column where they are known', () => {
    const error = new CliError('InvalidSpec', 'job.yaml has 2 problems', {
      remedy: 'correct them',
      problems: [
        { file: 'job.yaml', field: 'branch', problem: 'is missing' },
        { file: 'job.yaml', field: 'steps[0].rnu', problem: 'is not a field here', line: 12, column: 5 },
      ],
    })
    expect(formatError(reportError(error), plain).split('\n')).toEqual([
      'error InvalidSpec: job.yaml has 2 problems',
      '  job.yaml       branch: is missing',
      '  job.yaml:12:5  steps[0].rnu: is not a field here',
      'remedy: correct them',
    ])
  })

  test('what nobody foresaw is a defect, without its stack', () => {
    const report = reportError(new TypeError('x is not a function'))
    expect(report).toMatchObject({ type: 'InternalError', message: 'TypeError: x is not a function' })
    expect(formatError(report, plain)).not.toContain('cli-errors.test')
    expect(reportError('a string').message).toBe('a string')
  })

  test('in colour the words are the same', () => {
    const error = new HoldfastError('JobNotFound', 'there is no job x')
    const coloured = formatError(reportError(error), pc.createColors(true))
    expect(coloured).toContain('\u001b[31m')
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(formatError(reportError(error), plain))
  })
})
