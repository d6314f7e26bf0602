/** Something the person has to mend; its message says how. */
export class SetupError extends Error {}

/** One line of progress. On stderr: stdout belongs to the program that is set up. */
export function say(line) {
  process.stderr.write(`set-up: ${line}\n`)
}
