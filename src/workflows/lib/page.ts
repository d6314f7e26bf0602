import ms from 'ms'
import type { Breach } from '../../contract/guards.ts'
import type { StepReport, WaitingFor } from '../../contract/job.ts'
import type { JobView } from './job-view.ts'
import { code, fenced, prose, table, text, utf8Length } from '../../contract/markdown.ts'

/** Temporal takes 20 KB of current details; a page is to be read at a glance. */
export const MAX_PAGE_BYTES = 8 * 1024
const MAX_ASKED_BYTES = 4 * 1024
const OUTPUT_LINES = 15
/** Most steps shown, then fewer where they don't fit. */
const ROWS = [20, 8, 3, 0]

/**
 * A job as one page of markdown, complete in itself. At most `MAX_PAGE_BYTES`.
 *
 * @param asOf when it was so, in ms since the epoch
 */
export function pageOf(view: JobView, asOf: number): string {
  const pages = ROWS.map((rows) => [...sections(view, rows), footer(asOf)].filter(Boolean).join('\n\n'))
  return pages.find((page) => utf8Length(page) <= MAX_PAGE_BYTES) ?? sections(view, 0)[0] ?? ''
}

const sections = (view: JobView, rows: number): string[] => [
  headline(view),
  view.ended ? ending(view) : waiting(view),
  view.refused ? `**Refused:** ${code(view.refused, 600)}` : '',
  facts(view),
  steps(view.steps, rows),
  output(view),
]

/** Last, because the Temporal UI cuts off a page's last line until it is scrolled. */
const footer = (asOf: number): string => `As of ${moment(asOf)}`

function headline({ ended, phase, round, current }: JobView): string {
  const rounds = round > 1 ? ` (round ${round})` : ''
  if (ended)
    return `### ${text(ended.failure?.type ?? ended.outcome)}${phase === 'done' ? '' : ': cleaning up'}`
  return `### ${phase}${rounds}${current ? `: ${code(current)}` : ''}`
}

function ending({ ended }: JobView): string {
  const failure = ended?.failure
  if (!failure) return ''
  return `${prose(failure.message)}\n\n**What to do:** ${prose(failure.remedy)}`
}

function waiting({ waitingFor, current, id }: JobView): string {
  if (!waitingFor) return current ? `To see what it prints: ${code(`holdfast watch ${id}`)}` : ''
  const lines = [`**Waits for ${what(waitingFor)}** since ${moment(waitingFor.since)}`]
  if (waitingFor.kind === 'review')
    lines.push(
      ...breached(waitingFor),
      `Until ${moment(waitingFor.until)}. Answer with ${code(`${waitingFor.answerWith} --by NAME`)}, or here: _More Actions_, ` +
        'Send an Update (or a Signal), with JSON as its input:',
      table(
        ['name', 'input'],
        [
          [code('approve'), code('{"by": "your name"}')],
          [code('reject'), code('{"by": "your name", "reason": "why"}')],
          [code('requestChanges'), code('{"by": "your name", "feedback": "what to change"}')],
        ],
      ),
      `The work: query ${code('diff')}, or ${code(`holdfast diff ${id}`)}`,
    )
  if (waitingFor.kind === 'notification')
    lines.push(
      `Until ${moment(waitingFor.until)}. Tell it with ${code(waitingFor.answerWith)}, or here with the signal ` +
        `${code('notify')} and ${code(JSON.stringify({ name: waitingFor.name }))}`,
    )
  if (waitingFor.kind === 'tool')
    lines.push(
      ...asked(waitingFor, id),
      `Until ${moment(waitingFor.until)}. Allow it with ${code(`${waitingFor.answerWith} --by NAME`)}, or here by the update ` +
        `${code('allowTool')} (or ${code('denyTool')}) and ${code(JSON.stringify({ by: 'your name', call: waitingFor.call }))}`,
    )
  if (waitingFor.kind === 'timer') lines.push(`Until ${moment(waitingFor.until)}`)
  if (waitingFor.kind === 'outage')
    lines.push(`${prose(waitingFor.failure.message)}\n\nNext try: ${moment(waitingFor.until)}`)
  return lines.join('\n\n')
}

function asked({ asked: input }: { asked?: string }, id: string): string[] {
  if (!input) return []
  if (utf8Length(input) <= MAX_ASKED_BYTES) return [fenced(input)]
  // Of a character at most four bytes.
  return [fenced(input.slice(0, MAX_ASKED_BYTES / 4)), `The rest: ${code(`holdfast status ${id}`)}`]
}

const breached = ({ breaches = [] }: { breaches?: Breach[] }): string[] =>
  breaches.length > 0
    ? [
        'It went beyond its guards:',
        breaches.map(({ guard, message }) => `- **${guard}**: ${prose(message, 400)}`).join('\n'),
      ]
    : []

function what(wait: WaitingFor): string {
  if (wait.kind === 'review') return 'a review'
  if (wait.kind === 'timer') return 'its time'
  if (wait.kind === 'tool') return `a call of a tool to be allowed: ${code(wait.summary)}`
  return wait.kind === 'notification' ? `the notification ${code(wait.name)}` : wait.failure.type
}

function facts(view: JobView): string {
  const { repo, branch, commit, diff, cost } = view
  const rows: [string, string | null | undefined | false][] = [
    ['repository', repo.url && link(repo.url, repo.url)],
    ['branch', repo.url && `${refLink(repo.url, 'tree', branch)}, from ${code(repo.base)}`],
    [
      'changes',
      diff && `${diff.files} file${diff.files === 1 ? '' : 's'}, +${diff.insertions} −${diff.deletions}`,
    ],
    ['commit', commit && refLink(repo.url, 'commit', commit)],
    ['preview', preview(view)],
    ['sandbox', sandbox(view)],
    [
      'cost',
      `${usd(cost.usd)}${cost.savedByPausingUsd > 0 ? `; pausing saved ${usd(cost.savedByPausingUsd)}` : ''}`,
    ],
  ]
  return table(
    ['', ''],
    rows.flatMap(([label, value]) => (value ? [[label, value]] : [])),
  )
}

function preview({ sandbox: { previewUrl, state } }: JobView): string | undefined {
  return previewUrl && state !== 'killed' ? link(previewUrl, previewUrl) : undefined
}

function sandbox({
  sandbox: { sandboxId, state, runningMs, pausedMs },
  sandboxSince,
  phase,
}: JobView): string {
  if (!sandboxId) return phase === 'prepare' ? 'none yet' : ''
  // What goes on now is told by its beginning: the page stands still between events.
  const ran = state === 'running' ? '' : `; ran ${ms(runningMs)}`
  const paused = pausedMs > 0 ? `; ${state === 'paused' ? 'earlier ' : ''}paused for ${ms(pausedMs)}` : ''
  return `${code(sandboxId)} ${state} since ${moment(sandboxSince)}${ran}${paused}`
}

function steps(all: StepReport[], rows: number): string {
  if (all.length === 0 || rows === 0) return all.length === 0 ? '' : `${all.length} steps`
  const left = all.length - rows
  const shown = all
    .slice(-rows)
    .map(({ kind, name, round, exitCode, ms: took }) => [
      `${kind === 'check' ? 'check: ' : ''}${code(name)}`,
      String(round),
      exitCode === 0 ? 'ok' : exitCode === 124 ? '**out of time**' : `**exit ${exitCode}**`,
      ms(took),
    ])
  return (
    (left > 0 ? `${left} earlier steps, then:\n\n` : '') + table(['step', 'round', 'outcome', 'time'], shown)
  )
}

function output({ lastOutput }: JobView): string {
  const lines = lastOutput?.text.trimEnd().split('\n').slice(-OUTPUT_LINES).join('\n')
  return lastOutput && lines
    ? `Last of what ${code(lastOutput.step)} printed:\n\n${fenced(lines.slice(-1_500))}`
    : ''
}

/** Pages of branches and commits, where it is known how the host names them. */
function refLink(repo: string, kind: 'tree' | 'commit', ref: string): string {
  const label = kind === 'commit' ? ref.slice(0, 12) : ref
  const base = repo.replace(/\.git$/, '')
  if (repo.startsWith('https://github.com/')) return link(label, `${base}/${kind}/${ref}`)
  if (repo.startsWith('https://gitlab.')) return link(label, `${base}/-/${kind}/${ref}`)
  return code(label)
}

const link = (label: string, url: string): string =>
  `[${text(label)}](<${url.replaceAll(/[<>\s]/g, encodeURIComponent)}>)`

const usd = (amount: number): string => `${amount.toFixed(4)} USD`

/** UTC, to the second. */
const moment = (at: number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`
