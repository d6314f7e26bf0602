import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Session } from '../../../client/session.ts'
import type { Execution } from '../../../contract/operations/results.ts'
import { examples } from '../../base-program.ts'
import { withJobs } from '../../context.ts'
import { EXIT } from '../../exit-codes.ts'
import { milliseconds } from '../../numbers.ts'
import { addVariable } from '../../options.ts'
import { readText } from '../../read-file.ts'
import { print, printNote } from '../../terminal.ts'
import type { SessionGroup } from '../session.ts'

/** Code in the session's kernels. */
export function addCode(session: SessionGroup): void {
  session
    .command('code')
    .description('run code in a kernel that keeps its variables, over pauses too')
    .argument('<id>', "the session's id")
    .argument('[code]', 'the code; left out or -, stdin is read', '-')
    .option('--language <name>', 'python, javascript, typescript or bash (default: python)')
    .option('--context <context-id>', 'a kernel that code.createContext made, in place of the default one')
    .option('--env <name=value>', 'a variable for it; repeatable', addVariable)
    .option('--timeout <time>', 'then it is interrupted (default: 1m)', milliseconds)
    .option('--save <folder>', 'write the pictures that it draws there')
    .addHelpText(
      'after',
      examples(
        "holdfast session code dev 'x = 1'",
        "holdfast session code dev 'x + 1'                  # 2",
        'holdfast session code dev --save plots <plot.py',
      ),
    )
    .action(async (id, code, { language, context, env, timeout, save }, command) => {
      const globals = command.optsWithGlobals()
      const text = code === '-' ? await readText('-') : code
      const options = {
        ...(language && { language }),
        ...(context && { contextId: context }),
        ...(env && { envs: env }),
        ...(timeout && { timeoutMs: timeout }),
      }
      await withJobs(globals, async ({ sessions }) => {
        const used = sessions.get(id)
        const execution = await used.runCode(text, options)
        const saved = save === undefined ? [] : await savePictures(used, execution, save)
        if (globals.json) print(JSON.stringify({ ...execution, saved }))
        else show(execution, saved)
        if (execution.error) process.exitCode = EXIT.failed
      })
    })
}

/** @returns the paths of the files written */
async function savePictures(session: Session, { results }: Execution, folder: string): Promise<string[]> {
  const artifacts = results.flatMap(({ artifacts }) => artifacts)
  if (artifacts.length > 0) await mkdir(folder, { recursive: true })
  const paths: string[] = []
  for (const [index, { key, format }] of artifacts.entries()) {
    const path = join(folder, `${index + 1}.${format}`)
    await writeFile(path, Buffer.from(await session.code.readArtifact(key), 'base64'))
    paths.push(path)
  }
  return paths
}

/** What the code printed, and the value of its last line, as a notebook shows them. */
function show({ stdout, stderr, results, error, truncated }: Execution, saved: string[]): void {
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  const value = results.find(({ isMainResult }) => isMainResult)?.text
  if (value !== undefined) print(value)
  for (const path of saved) printNote(`picture ${path}`)
  const left = results.flatMap(({ artifacts }) => artifacts).length - saved.length
  if (left > 0) printNote(`${left} ${left === 1 ? 'picture' : 'pictures'}: --save FOLDER writes them`)
  if (truncated) printNote('the output is cut')
  if (error) printNote(error.traceback)
}
