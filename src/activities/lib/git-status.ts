import type { GitFileStatus, GitStatus } from '../../contract/operations/results.ts'

/** More are left out. */
const MAX_FILES = 1_000

/** Parses `git status --porcelain=v2 --branch -z`. */
export function parseGitStatus(text: string): GitStatus {
  const status: GitStatus = { ahead: 0, behind: 0, fileStatus: [], truncated: false }
  const entries = text.split('\0')
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index] ?? ''
    if (entry.startsWith('# ')) readHeader(status, entry.slice(2))
    // A renamed file's old path is an entry of its own.
    else if (entry.startsWith('2 ')) status.fileStatus.push(fileOf(entry, 9, entries[++index]))
    else if (entry.startsWith('1 ')) status.fileStatus.push(fileOf(entry, 8))
    else if (entry.startsWith('u ')) status.fileStatus.push(fileOf(entry, 10))
    else if (entry.startsWith('? '))
      status.fileStatus.push({ path: entry.slice(2), index: '?', workingTree: '?', staged: false })
  }
  status.truncated = status.fileStatus.length > MAX_FILES
  status.fileStatus.splice(MAX_FILES)
  return status
}

function readHeader(status: GitStatus, header: string): void {
  const [key, ...values] = header.split(' ')
  const value = values.join(' ')
  if (key === 'branch.head' && value !== '(detached)') status.currentBranch = value
  if (key === 'branch.upstream') status.upstream = value
  if (key === 'branch.ab') {
    const [, ahead, behind] = /^\+(\d+) -(\d+)$/.exec(value) ?? []
    status.ahead = Number(ahead ?? 0)
    status.behind = Number(behind ?? 0)
  }
}

/** @param fields how many words stand before the path, which may hold spaces */
function fileOf(entry: string, fields: number, renamedFrom?: string): GitFileStatus {
  const words = entry.split(' ')
  const [index = '.', workingTree = '.'] = words[1] ?? ''
  return {
    path: words.slice(fields).join(' '),
    index,
    workingTree,
    staged: index !== '.',
    ...(renamedFrom && { renamedFrom }),
  }
}
