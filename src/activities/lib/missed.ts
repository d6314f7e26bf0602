import { mapped, type Sandbox } from './e2b.ts'
import type { Followed, Onlooker } from './follower.ts'
import { commandFolder, quote, runnerHome } from './runner.ts'

/** Argument: the folder of a command. For how many ms it has printed nothing, by the sandbox's own clock; nothing, where it hasn't begun. */
const QUIET = `
at=$(LC_ALL=C stat -c %.3Y "$1/stdout" "$1/stderr" 2>/dev/null | sort -n | tail -n 1) || exit 0
[ -z "$at" ] || echo $(($(date +%s%3N) - \${at%.*}\${at#*.}))
`

/**
 * What an onlooker has missed of a command that was launched before: who follows it now counts on from there, not anew.
 *
 * @param bytes of stdout that will not come again
 * @returns whether it has had enough already, and when something was printed last, by our clock
 */
export async function tellMissed(
  sandbox: Sandbox,
  { user, commandId, mustBeThere = false }: Pick<Followed, 'user' | 'commandId' | 'mustBeThere'>,
  onlooker: Onlooker,
  bytes: number,
): Promise<{ enough: boolean; lastOutput: number }> {
  const folder = commandFolder(runnerHome(user), commandId)
  const as = user ? { user } : {}
  const line = `exec sh -c ${quote(QUIET)} holdfast ${quote(folder)}`
  const { stdout } = await mapped('commands.run', () => sandbox.commands.run(line, as))
  // Where the sandbox was paused meanwhile, the command stood still.
  const quietMs = mustBeThere ? 0 : Math.max(0, Number(stdout))
  let enough = false
  if (bytes > 0 && stdout) {
    const file = `${folder}/stdout`
    const content = await mapped('files.read', () => sandbox.files.read(file, { format: 'stream', ...as }))
    for await (const text of firstBytes(content, bytes)) enough = onlooker.see(text) || enough
  }
  return { enough, lastOutput: Date.now() - quietMs }
}

async function* firstBytes(content: ReadableStream<Uint8Array>, bytes: number): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let left = bytes
  for await (const piece of content) {
    yield decoder.decode(piece.subarray(0, left), { stream: true })
    left -= piece.length
    if (left <= 0) return
  }
}
