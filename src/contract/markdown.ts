/** Text of others as text: nothing in it is markup, and it stays on its line. */
export const text = (value: string, max = 120): string => escaped(lineOf(value, max))

/** As `text`, but what stands between backticks is code. */
export const prose = (value: string, max = 600): string =>
  lineOf(value, max)
    .split(/`([^`]+)`/)
    .map((part, index) => (index % 2 === 1 ? code(part) : escaped(part)))
    .join('')

function lineOf(value: string, max: number): string {
  const line = printable(value).replaceAll(/\s+/g, ' ').trim()
  return line.length > max ? `${line.slice(0, max - 1)}…` : line
}

/** The Temporal UI sets what stands between dollar signs as a formula, and makes a dash of two hyphens. */
const escaped = (line: string): string => line.replaceAll(/[\\`*_[\]<>|#~!&$]|-(?=-)/g, String.raw`\$&`)

/** Text as code, within a line or a table's cell. */
export function code(value: string, max = 300): string {
  const line = printable(value).replaceAll(/\s+/g, ' ').replaceAll('`', "'").trim().slice(0, max)
  return `\`${line.replaceAll('|', String.raw`\|`)}\``
}

/** Text as a block of code, whatever fences are in it. */
export function fenced(value: string): string {
  const longest = Math.max(2, ...[...value.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}text\n${printable(value)}\n${fence}`
}

/** Cells are markdown already. */
export const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

export const utf8Length = (value: string): number => new TextEncoder().encode(value).length

/** Without the escape sequences and control characters of terminals, and those that turn the direction of writing. */
const printable = (value: string): string =>
  value
    .replaceAll(/\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)|.)/g, '')
    .replaceAll(/[^\P{Cc}\n\t]|[\u202A-\u202E\u2066-\u2069]/gu, '')
