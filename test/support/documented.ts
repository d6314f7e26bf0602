import { readFileSync } from 'node:fs'

/** The commands of a section of a document, a list for each of its code blocks, without the words behind `#`. */
export function documentedCommands(document: string, heading: string): string[][] {
  const text = readFileSync(new URL(`../../docs/${document}`, import.meta.url), 'utf8')
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^```\n(.*?)^```/gms)].map(([, block = '']) =>
    block.split('\n').flatMap((line) => line.replace(/\s+#.*/, '') || []),
  )
}
