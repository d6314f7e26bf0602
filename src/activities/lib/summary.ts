import type { ModelMessage } from 'ai'

export const SUM_UP =
  'You are told what a software engineer and the tools at work in a git repository said to each other. Sum it up for the engineer, who will go on ' +
  'from your words alone: what was asked since the first message (word for word), what was found out and decided, which files were changed and how, what failed and ' +
  'why, and what is still to do. Name paths, commands and names exactly. Leave out what is of no more use.'

/** Of a summary, in tokens. */
export const MAX_SUMMARY = 4_000

/** What was said, as one text: whoever sums it up calls no tools. */
export const asText = (messages: ModelMessage[]): string =>
  messages.map(({ role, content }) => `${role}: ${wordsOf(content)}`).join('\n\n')

function wordsOf(content: ModelMessage['content']): string {
  if (typeof content === 'string') return content
  const words = content.map((part): string => {
    if (part.type === 'text' || part.type === 'reasoning') return part.text
    if (part.type === 'tool-call') return `${part.toolName} ${JSON.stringify(part.input)}`
    if (part.type !== 'tool-result') return ''
    return part.output.type === 'text' ? part.output.value : JSON.stringify(part.output)
  })
  return words.filter(Boolean).join('\n')
}

/**
 * A transcript of which only the end is told as it was.
 *
 * @param first what the model was asked at first
 * @param summary of what was said before `rest`
 */
export function withSummary(first: ModelMessage[], summary: string, rest: ModelMessage[]): ModelMessage[] {
  const begun = `What came after that, summed up by yourself:\n\n${summary}`
  // An answer to calls that aren't told any more would be one to nothing.
  const orphans = rest.findIndex(({ role }) => role !== 'tool')
  const outcomes = rest.slice(0, orphans < 0 ? rest.length : orphans)
  const said = outcomes.length > 0 ? `\n\nWhat the last tools gave:\n\n${asText(outcomes)}` : ''
  return [...first, { role: 'user', content: `${begun}${said}` }, ...rest.slice(outcomes.length)]
}
