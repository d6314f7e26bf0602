import { z } from 'zod'
import { oneLine } from './fields.ts'

/** Where most projects keep their tests. */
const TESTS = [
  '**/*.{test,spec}.*',
  '**/*_{test,spec}.*',
  '**/test_*.py',
  '**/{test,tests,spec,__tests__}/**',
  '**/src/test/**',
]

const globs = z.array(oneLine(300)).min(1).max(100)

/** Bounds of what a job may change, for the case that its steps don't know when to stop. */
export const guards = z
  .strictObject({
    paths: globs
      .optional()
      .describe(
        'Globs: only files that match one may change; those of "!glob" may never, as in GitHub\'s path filters',
      ),
    maxFiles: z.int().min(1).max(100_000).optional().describe('More changed files than these are a breach'),
    maxLines: z.int().min(1).max(10_000_000).optional().describe('So are more lines, added and removed'),
    tests: z
      .union([z.boolean(), globs])
      .transform((value) => (value === true ? TESTS : value === false ? [] : value))
      .default(TESTS)
      .describe(
        'Globs of test files, of which none may be deleted or lose lines on balance; false lets them',
      ),
    secrets: z
      .boolean()
      .default(true)
      .describe("Whether added lines are searched for keys and tokens, the workers' own among them"),
    onBreach: z
      .enum(['review', 'fail'])
      .default('review')
      .describe('What a breach leads to: a person decides, or the job fails'),
  })
  .describe('What the job may change; beyond it, a person decides')

export type Guards = z.output<typeof guards>

/** One way in which the work leaves its bounds. */
export interface Breach {
  guard: 'paths' | 'maxFiles' | 'maxLines' | 'tests' | 'secrets'
  /** In words, with the files. */
  message: string
}
