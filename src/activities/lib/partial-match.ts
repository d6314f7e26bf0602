/** Length of the longest end of `text` that is a start of `mark`, but not all of it: what to hold back until more is known. */
export function partialMatch(text: string, mark: string): number {
  for (let length = Math.min(text.length, mark.length - 1); length > 0; length--)
    if (text.endsWith(mark.slice(0, length))) return length
  return 0
}
