import { stripVTControlCharacters } from 'node:util'
import type { Colors } from './terminal.ts'

/** A diff for a terminal: in colour, and without the control characters that a file may hold. */
export function colorDiff(text: string, colors: Colors): string {
  return text
    .split('\n')
    .map((line) =>
      paint(
        stripVTControlCharacters(line).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '�'),
        colors,
      ),
    )
    .join('\n')
}

function paint(line: string, colors: Colors): string {
  if (/^(diff|index|---|\+\+\+|new file|deleted file|similarity|rename|old mode|new mode)/.test(line))
    return colors.bold(line)
  if (line.startsWith('@@')) return colors.cyan(line)
  if (line.startsWith('+')) return colors.green(line)
  if (line.startsWith('-')) return colors.red(line)
  return line
}
