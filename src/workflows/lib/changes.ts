import type { DiffSummary } from '../../contract/job.ts'
import { cutMiddle } from '../../contract/output.ts'

const MAX_FILES = 100
const MAX_LINE = 300
/** Of the diff itself, in characters: what an agent that remembers nothing begins from. */
const MAX_DIFF = 24_000

/**
 * What has been changed so far, for a prompt: which files, by how many lines.
 *
 * @param whole whether the diff itself belongs to it
 */
export function changesText(
  { files, insertions, deletions, text, truncated }: DiffSummary,
  whole: boolean,
): string {
  const all = changedFiles(text)
  const lines = all
    .slice(0, MAX_FILES)
    .map(({ path, added, removed }) => `- ${path.slice(0, MAX_LINE)} (+${added} -${removed})`)
  const more = files - lines.length
  if (more > 0) lines.push(`- and ${more} more`)
  else if (truncated && lines.length > 0) lines[lines.length - 1] += ' or more'
  const list = `Changed so far: ${files} files, ${insertions} lines added, ${deletions} removed (new files too):\n${lines.join('\n')}`
  return whole
    ? `${list}\n\nThe changes so far${truncated || text.length > MAX_DIFF ? ', cut' : ''}:\n\n${cutMiddle(text, MAX_DIFF)}`
    : list
}

interface ChangedFile {
  path: string
  added: number
  removed: number
}

/** The files of a diff as git prints it, in order. */
function changedFiles(diff: string): ChangedFile[] {
  const found: ChangedFile[] = []
  let inHunk = false
  for (const line of diff.split('\n')) {
    const file = found.at(-1)
    const path = /^diff --git .* "?b\/(.+?)"?$/.exec(line)?.[1]
    if (path !== undefined) {
      found.push({ path, added: 0, removed: 0 })
      inHunk = false
    } else if (line.startsWith('@@')) inHunk = true
    else if (file && inHunk && line.startsWith('+')) file.added++
    else if (file && inHunk && line.startsWith('-')) file.removed++
  }
  return found
}
