import type { JobView } from '../../src/workflows/lib/job-view.ts'

/** A view of a job for pure tests: in its steps, with a sandbox that runs. */
export const jobView = (changes: Partial<JobView> = {}): JobView => ({
  id: 'fix-it',
  phase: 'steps',
  round: 1,
  current: null,
  waitingFor: null,
  sandbox: {
    sandboxId: 'i3x',
    state: 'running',
    runningMs: 61_000,
    pausedMs: 0,
    sizes: [],
    pauses: 0,
    resumes: 0,
  },
  cost: {
    sandbox: { runningMs: 0, pausedMs: 0, usd: 0 },
    temporal: { actions: 0, usd: 0 },
    models: { inputTokens: 0, outputTokens: 0, usd: 0 },
    usd: 0,
    savedByPausingUsd: 0,
  },
  branch: 'holdfast/work',
  commit: null,
  steps: [],
  repo: { url: 'https://git.example/acme/web.git', base: 'main' },
  owner: 'holdfast',
  diff: null,
  sandboxSince: Date.UTC(2026, 0, 2, 3, 4, 5),
  lastOutput: null,
  refused: null,
  ended: null,
  ...changes,
})
