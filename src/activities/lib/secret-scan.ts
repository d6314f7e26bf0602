/** Before the lines that a diff adds, so that no line of a file looks like one of git's own. */
export const ADDED = '>'

/** What looks like a key or token in a file's text, by kind and not by value. */
export interface FoundSecret {
  path: string
  /** secretlint's id of it, as in `GITHUB_TOKEN`. */
  kind: string
}

/** Searches added lines, file by file. @param isOurs whether a text holds a secret of this worker */
export async function findSecrets(diff: string, isOurs: (text: string) => boolean): Promise<FoundSecret[]> {
  const { lintSource } = await import('@secretlint/core')
  const { creator: rule } = await import('@secretlint/secretlint-rule-preset-recommend')
  const config = { rules: [{ id: '@secretlint/secretlint-rule-preset-recommend', rule, options: {} }] }
  const found: FoundSecret[] = []
  for (const [path, content] of addedLines(diff)) {
    // Whoever adds a secret could add the comment too that has it passed over.
    const source = {
      content: content.replaceAll('secretlint-', 'secretlint_'),
      filePath: `/${path}`,
      contentType: 'text' as const,
    }
    const { messages } = await lintSource({ source, options: { config, maskSecrets: true } })
    const kinds = new Set(messages.map(({ messageId }) => messageId))
    if (isOurs(content)) kinds.add('a secret of this worker')
    found.push(...[...kinds].map((kind) => ({ path, kind })))
  }
  return found
}

/** The added lines of each file, from a diff with `ADDED` as the sign of new lines, or of only these and `+++`. */
export function addedLines(diff: string): Map<string, string> {
  const files = new Map<string, string>()
  let path = ''
  for (const line of diff.split('\n')) {
    if (line.startsWith('+++ '))
      path = line
        .slice(4)
        .replace(/^"?b\//, '')
        .replace(/"$/, '')
    else if (line.startsWith(ADDED)) files.set(path, `${files.get(path) ?? ''}${line.slice(1)}\n`)
  }
  return files
}
