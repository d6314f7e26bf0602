import { stripVTControlCharacters } from 'node:util'

/**
 * A text of a sandbox, safe for a terminal: without escape sequences and control characters, which could move the
 * cursor or change what was printed; of a line that was redrawn by carriage returns, the last state.
 */
export function cleanLine(text: string): string {
  const drawn = text.replace(/\r+$/, '')
  return stripVTControlCharacters(drawn.slice(drawn.lastIndexOf('\r') + 1))
    .replaceAll('\t', '    ')
    .replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '')
}

/** The lines of a text, each clean; an end of line at the very end makes no empty line. */
export const cleanLines = (text: string): string[] =>
  text === ''
    ? []
    : text
        .replace(/\r?\n$/, '')
        .split('\n')
        .map(cleanLine)

const SEGMENTER = new Intl.Segmenter()

const charactersOf = (text: string): string[] => Array.from(SEGMENTER.segment(text), ({ segment }) => segment)

/** The text in at most `width` characters, with an ellipsis where it was cut. */
export function cut(text: string, width: number): string {
  const characters = charactersOf(text)
  return characters.length > width ? `${characters.slice(0, width - 1).join('')}…` : text
}

/** How many characters of the text column stand before the duration's column. */
const TEXT_COLUMNS = 58
const DURATION_COLUMNS = 11

/** A line whose duration stands in the same column whatever the indentation; a line without one is not cut. */
export function alignRight(indented: string, duration?: string): string {
  if (duration === undefined) return indented
  const text = cut(indented, TEXT_COLUMNS)
  return text + ' '.repeat(TEXT_COLUMNS - charactersOf(text).length) + duration.padStart(DURATION_COLUMNS)
}
