import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  patched,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import { LIST_PRICES } from '../contract/cost.ts'
import type { Breach } from '../contract/guards.ts'
import type { DiffSummary, JobResult, JobStatus, Review, ReviewAnswer } from '../contract/job.ts'
import { diffQuery, eventsQuery, statusQuery } from '../contract/messages.ts'
import type { AgentJobSpec, Step } from '../contract/spec.ts'
import { perform } from './lib/activities.ts'
import { type Fixer, passChecks } from './lib/checks.ts'
import { ending, type Ending, jobFailure, toReport } from './lib/failures.ts'
import type { JobView } from './lib/job-view.ts'
import { jobEnded } from './lib/metrics.ts'
import { lookAt, readDiff } from './lib/look.ts'
import { type JobRun, NextRun } from './lib/next-run.ts'
import { partsOf } from './lib/parts.ts'
import { askable, beginningOf, type ChangeRequest, type Cursor, stepsAgain, stepsOf } from './lib/place.ts'
import { runSteps } from './lib/steps.ts'
import { isAsked } from './lib/turns.ts'

type Outcome = Omit<JobResult, 'sandbox' | 'cost'>

/** A review that a breach of the guards asks for. */
const WHERE_NONE_IS_ASKED_FOR = { timeout: 7 * 24 * 60 * 60_000, onTimeout: 'reject' } as const

/**
 * One job: its phases, in order. Every side effect happens once, and the sandbox never outlives the job by accident.
 *
 * @param left by the run before this one, where that had grown long
 */
export async function agentJob(input: AgentJobSpec, left?: JobRun): Promise<JobResult> {
  const { workflowId: id, continuedFromExecutionRunId } = workflowInfo()
  // Whoever starts a job has nothing to leave to it.
  const earlier = continuedFromExecutionRunId ? left : undefined
  const nextRun = new NextRun(() => [spec, { owner, trailer, diff, place, ...saved(askable(spec, place)) }])
  const { saved, ...parts } = partsOf({ view, nextRun, spec: input }, earlier)
  const { journal, display, lease, workspace, waits, desk, ledger, turns } = parts
  let diff: DiffSummary | null = earlier?.diff ?? null
  let breaches: Breach[] = []
  let seen: string | undefined
  let place = earlier?.place ?? beginningOf({ next: 0 })
  let trailer = earlier?.trailer ?? `${id}/1`
  let spec = input
  /** Known once the spec is admitted: until then it may be anything. */
  let owner = earlier?.owner ?? ''
  answerQueries()
  if (earlier) display.showPage()

  const end = await ending(work)
  await CancellationScope.nonCancellable(() => cleanUp(end))
  return conclude(end)

  async function work(): Promise<Outcome> {
    if (!earlier) await admitSpec()
    return ledger.within(spec.limits, achieve)
  }

  async function achieve(): Promise<Outcome> {
    if (!earlier) {
      const ahead = await waits.runAhead(spec.steps)
      await workspace.create(spec)
      await clone()
      beginRound({ next: ahead })
    }
    let checks = await edit()
    let review = await askForReview()
    let commit = await conclusionOf(review)
    while (commit === undefined) {
      if (review?.decision === 'requestChanges') {
        beginRound({ next: 0 }, review)
        checks = await edit()
      } else await look()
      review = await askForReview()
      commit = await conclusionOf(review)
    }
    const rejected = review?.decision === 'reject'
    const pushed = commit ? await push(commit) : null
    const { text: _, ...stat } = diff ?? { text: '', files: 0, insertions: 0, deletions: 0, truncated: false }
    const outcome = rejected ? 'rejected' : 'completed'
    return {
      outcome,
      branch: spec.branch,
      base: spec.repo.base,
      baseCommit: workspace.baseCommit,
      commit: pushed ?? commit,
      remoteHead: pushed,
      diff: stat,
      checks,
      review,
    }
  }

  async function admitSpec(): Promise<void> {
    journal.enter('prepare')
    const admitted = await perform('admitJob', 'check the spec and its secrets', { spec })
    spec = admitted.parsed ?? spec
    // A worker of an earlier version may have admitted it, which says nothing of prices, nor whose it is, nor of the trailer.
    ledger.tariff = { ...LIST_PRICES, ...admitted.tariff }
    owner = admitted.owner ?? ''
    trailer = admitted.trailer ?? trailer
  }

  async function clone(): Promise<void> {
    journal.enter('clone')
    await workspace.clone()
  }

  function beginRound(steps: Cursor, changes?: ChangeRequest): void {
    journal.enter('steps')
    if (changes) journal.round++
    place = beginningOf(steps, changes)
  }

  /** The round, or what is left of it. */
  async function edit(): Promise<JobResult['checks']> {
    const { changes } = place
    const feedback = changes && { round: journal.round, text: changes.feedback, changes: diff }
    const steps = stepsOf(spec, place)
    await runSteps({ ...parts, spec }, steps, place.steps, feedback)
    const checks = await passChecks(parts, spec.checks, place.checks, fixer(steps))
    await look()
    return checks
  }

  async function look(): Promise<void> {
    ;({ diff, seen, breaches } = await lookAt(workspace, spec))
    if (breaches.length === 0) return
    journal.record({ type: 'guardsBreached', breaches })
    if (spec.guards?.onBreach === 'fail')
      throw jobFailure('GuardBreached', breaches.map(({ message }) => message).join('; '))
  }

  /** The last agent mends what it made, and the commands behind it run again. */
  function fixer(steps: Step[]): Fixer | undefined {
    const [step, ...rest] = stepsAgain(steps)
    if (!step || !isAsked(step)) return undefined
    const commands = rest.filter((next) => !('sleep' in next || 'waitFor' in next))
    return {
      attempts: step.fixAttempts,
      begin: async (check, attempt) => {
        journal.record({ type: 'fixing', check: check.name, attempt })
        journal.enter('steps')
        const { prompt } = step
        const soFar = patched('who mends is told of the changes') ? (await readDiff(workspace)).diff : null
        await turns.take(spec, step, { kind: 'fix', prompt, check, output: check.output, changes: soFar })
      },
      finish: async (cursor) => {
        await turns.goOn(step)
        await runSteps({ ...parts, spec }, commands, cursor)
      },
    }
  }

  async function askForReview(): Promise<ReviewAnswer | null> {
    const breached = breaches.length > 0
    if (!spec.review?.required && !breached) return null
    const { timeout, onTimeout } = spec.review ?? WHERE_NONE_IS_ASKED_FOR
    journal.enter('review')
    // Silence is no leave to go beyond the guards.
    const silence = breached ? 'reject' : onTimeout
    return workspace.pauseAcross('until the review', Infinity, () => answer(timeout, silence))
  }

  async function answer(timeout: number, onTimeout: 'approve' | 'reject'): Promise<ReviewAnswer> {
    const since = Date.now()
    const until = since + timeout
    const why = breaches.length > 0 ? { breaches } : {}
    journal.waitingFor = { kind: 'review', since, until, answerWith: `holdfast approve ${id}`, ...why }
    const { files = 0, insertions = 0, deletions = 0 } = diff ?? {}
    journal.record({ type: 'reviewRequested', round: journal.round, files, insertions, deletions, until })
    const review: ReviewAnswer = (await desk.wait(timeout)) ?? { decision: onTimeout, by: 'timeout' }
    journal.waitingFor = null
    journal.refused = null
    journal.record({ type: 'reviewAnswered', review: withoutSteps(review) })
    return review
  }

  /** The commit, or null where there is to be none; undefined where the work is to be looked at anew. */
  async function conclusionOf(review: ReviewAnswer | null): Promise<string | null | undefined> {
    if (review?.decision === 'requestChanges') return undefined
    if (review?.decision === 'reject' || !spec.commit) return null
    journal.enter('commit')
    const { message, author } = spec.commit
    const { commit } = await workspace.change('the commit', (target) =>
      perform('commitWork', 'commit', {
        ...target,
        baseCommit: workspace.baseCommit,
        message,
        author,
        trailer,
        seen: review || spec.guards ? seen : undefined,
      }),
    )
    // What was approved went with its sandbox, as a process had written it after the checkpoint.
    if (!commit) return undefined
    journal.commit = commit
    journal.record({ type: 'committed', commit })
    return commit
  }

  async function push(commit: string): Promise<string | null> {
    if (!spec.push || !spec.commit) return null
    journal.enter('push')
    const { branch, repo } = spec
    const { egress, baseCommit } = workspace
    const [{ onConflict }, { author }] = [spec.push, spec.commit]
    const pushed = { repo, egress, branch, commit, baseCommit, trailer, onConflict, author }
    const { remoteHead } = await workspace.read((target) =>
      perform('pushBranch', `push ${branch}`, { ...target, ...pushed }),
    )
    journal.record({ type: 'pushed', branch, remoteHead })
    return remoteHead
  }

  async function cleanUp(end: Ending<Outcome>): Promise<void> {
    journal.waitingFor = null
    journal.ended =
      end.kind === 'finished'
        ? { outcome: end.value.outcome }
        : { outcome: end.kind, ...(end.kind === 'failed' && { failure: end.report }) }
    if (end.kind === 'failed') journal.record({ type: 'failed', failure: end.report })
    if (end.kind === 'cancelled') journal.record({ type: 'cancelled' })
    journal.enter('cleanUp')
    try {
      const kept = workspace.baseCommit !== '' && lease.keeps(end.kind === 'failed')
      if (kept && end.kind === 'failed' && end.report.type === 'LimitReached')
        await workspace.saveUnfinished()
      // Before the sandbox is ended, which may be gone: then they are all that is left.
      if (kept && end.kind === 'failed') end.report.checkpoint = workspace.bundles
      const ended = await lease.end(kept)
      if (!kept) await workspace.discard()
      if (end.kind === 'failed' && ended === 'kept') end.report.keptSandboxId = lease.target.sandboxId
    } catch (error) {
      // What the job has done stands, whether or not its sandbox could be ended: it pauses itself, and carries our tag.
      if (!(error instanceof ActivityFailure)) throw error
      journal.record({ type: 'cleanUpFailed', failure: toReport(error) })
    }
    journal.enter('done')
  }

  function conclude(end: Ending<Outcome>): JobResult {
    const { cost } = ledger
    jobEnded(
      end.kind === 'finished' ? end.value.outcome : end.kind === 'failed' ? end.report.type : end.kind,
      cost,
    )
    if (end.kind === 'cancelled') throw end.error
    if (end.kind === 'failed')
      throw ApplicationFailure.nonRetryable(end.report.message, end.report.type, end.report)
    return { ...end.value, sandbox: lease.use, cost }
  }

  function answerQueries(): void {
    setHandler(eventsQuery, (from) => journal.events(from), {
      description: 'What happened, from an event number on',
    })
    setHandler(diffQuery, () => diff, { description: 'The work so far, as a diff against the base' })
    setHandler(statusQuery, status, {
      description: 'Where the job is, what it waits for, and its sandbox',
    })
  }

  function status(): JobStatus {
    const { phase, round, current, waitingFor, commit, steps } = journal
    const { branch } = spec
    const { cost } = ledger
    return {
      id,
      firstRunId: journal.firstRunId,
      phase,
      round,
      current,
      waitingFor,
      sandbox: lease.use,
      branch,
      commit,
      steps,
      cost,
    }
  }

  function view(): JobView {
    const { lastOutput, refused, ended } = journal
    const { since: sandboxSince } = lease.saved
    const repo = owner ? spec.repo : { url: '', base: '' }
    return { ...status(), repo, owner, diff, sandboxSince, lastOutput, refused, ended }
  }
}

function withoutSteps({ steps: _, ...review }: ReviewAnswer): Review {
  return review
}
