import fc from 'fast-check'

/** Faults that happen to the world at some moment of a job. Those of the sandbox server's own are armed there. */
export const FAULT_KINDS = [
  'workerKilled',
  'workerFrozen',
  'workersGone',
  'temporalKilled',
  'sandboxServerKilled',
  'sandboxKilled',
  'sandboxUnreachable',
  'createReplyLost',
  'replyLost',
  'rateLimited',
  'conflict',
  'unavailable',
  'streamCut',
  'filesLostOnResume',
  'diskFull',
  'gitHostDown',
  'pushReplyLost',
  'clockLongWait',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface FaultPlan {
  kind: FaultKind
  /** The job that it comes with, and how long after that one's start, in ms. */
  job: number
  afterMs: number
  /** How long it lasts where it lasts, in ms. */
  forMs: number
  /** Picks its target among those there are then. */
  pick: number
}

export type StepPlan =
  | { kind: 'command'; ms: number; rerun: 'if-interrupted' | 'never' | 'always' }
  | { kind: 'write' }
  | { kind: 'sleep'; ms: number }
  | { kind: 'waitFor'; notifyAfterMs: number }

export interface JobPlan {
  steps: StepPlan[]
  checkMs: number
  /** Answers to its reviews, in order; none where it asks for none. */
  answers: { decision: 'approve' | 'requestChanges' | 'reject'; afterMs: number }[]
}

export interface Plan {
  jobs: JobPlan[]
  faults: FaultPlan[]
}

const between = (min: number, max: number): fc.Arbitrary<number> => fc.noBias(fc.integer({ min, max }))

const command: fc.Arbitrary<StepPlan> = fc.record({
  kind: fc.constant('command' as const),
  ms: between(50, 2_500),
  rerun: fc.noBias(fc.constantFrom('if-interrupted', 'if-interrupted', 'never', 'always')),
})
const otherStep: fc.Arbitrary<StepPlan> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const) }),
  fc.record({ kind: fc.constant('sleep' as const), ms: between(50, 3_000) }),
  fc.record({ kind: fc.constant('waitFor' as const), notifyAfterMs: between(50, 3_000) }),
)

const answer = (...decisions: JobPlan['answers'][number]['decision'][]): fc.Arbitrary<JobPlan['answers']> =>
  fc.tuple(
    ...decisions.map((decision) =>
      fc.record({ decision: fc.constant(decision), afterMs: between(50, 3_000) }),
    ),
  )

const job: fc.Arbitrary<JobPlan> = fc.record({
  steps: fc
    .tuple(
      command,
      fc.array(fc.oneof({ weight: 2, arbitrary: command }, { weight: 1, arbitrary: otherStep }), {
        minLength: 2,
        maxLength: 5,
      }),
    )
    .map(([first, rest]) => [first, ...rest]),
  checkMs: between(0, 500),
  answers: fc.oneof(
    { weight: 3, arbitrary: answer() },
    { weight: 4, arbitrary: answer('approve') },
    { weight: 2, arbitrary: answer('requestChanges', 'approve') },
    { weight: 1, arbitrary: answer('reject') },
  ),
})

/** Longer than anything here lets pass: a sandbox's timeout, a heartbeat's, a worker's hold on a workflow. */
const CLOCK_LONG_MS = 15_000

/** The same job, whose every wait takes long; there is one at least. */
export function withLongWaits({ steps, checkMs, answers }: JobPlan): JobPlan {
  const long = steps.map((step): StepPlan => {
    if (step.kind === 'sleep') return { ...step, ms: step.ms + CLOCK_LONG_MS }
    if (step.kind === 'waitFor') return { ...step, notifyAfterMs: step.notifyAfterMs + CLOCK_LONG_MS }
    return step
  })
  return {
    steps: [...long, { kind: 'sleep', ms: CLOCK_LONG_MS }],
    checkMs,
    answers: answers.map(({ decision, afterMs }) => ({ decision, afterMs: afterMs + CLOCK_LONG_MS })),
  }
}

/** What happens in a run: all of it, and only it, follows from the seed. */
export function planOf(seed: number, options: { jobs: number; faults: number }): Plan {
  const { jobs: count, faults } = options
  const plan = fc.record({
    jobs: fc.array(job, { minLength: count, maxLength: count }),
    faults: fc.tuple(
      ...Array.from({ length: faults }, (_, index) =>
        fc.record({
          kind: fc.noBias(fc.constantFrom(...FAULT_KINDS)),
          job: fc.constant(Math.floor((index * count) / faults)),
          afterMs: between(0, 6_000),
          forMs: between(200, 4_000),
          pick: between(0, 1_000_000),
        }),
      ),
    ),
  })
  return fc.sample(plan, { seed, numRuns: 1 })[0]!
}
