import type { WriteStream } from 'node:tty'
import pc from 'picocolors'

export type Colors = ReturnType<typeof pc.createColors>

/** One text on stdout, ended by a newline: what the command answers. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** One text on stderr, ended by a newline: progress, hints, errors. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Whether a person sees the stream in colour: a terminal, without NO_COLOR or TERM=dumb (Node's own rules). */
export const hasColors = (stream: Partial<Pick<WriteStream, 'isTTY' | 'hasColors'>>): boolean =>
  Boolean(stream.isTTY && stream.hasColors?.())

export const colorsFor = (stream: Parameters<typeof hasColors>[0]): Colors =>
  pc.createColors(hasColors(stream))
