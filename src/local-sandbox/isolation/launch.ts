import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { EnvdSettings, InnerPaths, SandboxFolders } from './driver.ts'

/** Where the isolation tools are looked for; nothing else of the server's environment goes on. */
export const toolPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A launched command: stdin takes envd's configuration, fd 3 is the tool's information, on fd 4 envd tells its state. */
export interface Launched {
  child: ChildProcess
  /** Resolves once envd runs and waits for its configuration. Throws with the end of its log where it doesn't. */
  waiting: Promise<void>
  configure: (settings: EnvdSettings) => Promise<void>
}

/**
 * Starts a command in a session of its own, so that it outlives this server; its output goes to the log file. The
 * tool's information goes to a file: were it a pipe, a bwrap whose server dies at that moment would die of it and leave
 * a child that waits for ever.
 */
export function launch(command: string[], folders: SandboxFolders, inner: InnerPaths): Launched {
  const [output, info] = [openSync(folders.log, 'a', 0o600), openSync(folders.info, 'w', 0o600)]
  const stdio: StdioOptions = ['pipe', output, output, info, 'pipe']
  const child = spawn(command[0]!, command.slice(1), {
    stdio,
    detached: true,
    env: { PATH: toolPath },
    cwd: '/',
  })
  for (const fd of [output, info]) closeSync(fd)
  child.unref()
  child.stdin!.on('error', () => undefined)
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error))
  failed.catch(() => undefined)
  const states = (child.stdio[4] as Readable)[Symbol.asyncIterator]()
  // Its end closes without a byte when envd ends instead of getting there.
  const reached = async () => {
    const { done } = await Promise.race([states.next(), failed])
    if (done) throw new Error(`envd didn't start: ${await tail(folders.log)}`)
  }
  return {
    child,
    waiting: reached(),
    async configure(settings) {
      child.stdin!.end(JSON.stringify({ ...inner, ...settings }))
      await reached()
    },
  }
}

/** The last lines of a log, for an error's text. */
async function tail(log: string): Promise<string> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n')
  return lines.slice(-5).join(' | ') || `nothing in ${log}`
}
