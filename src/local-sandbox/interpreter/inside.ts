import { spawn, type IOType } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Account } from '../envd/account.ts'
import { join } from '../envd/port-relay.ts'
import { withoutTerminals } from '../envd/pty.ts'

/** E2B's port for the code interpreter. */
const interpreterPort = 49_999

/** The template whose sandboxes have it running from the start. */
export const interpreterTemplate = 'code-interpreter-v1'

/** Where the interpreter is in a sandbox, or why it isn't there. */
export type InterpreterPaths = { python: string; script: string; socket: string } | { missing: string }

/** The code interpreter of this sandbox, in envd: started at the first connection. */
export class Interpreter {
  #paths: InterpreterPaths
  #account: Account
  #environment: Record<string, string>
  #started: Promise<void> | undefined

  constructor(paths: InterpreterPaths, account: Account, environment: Record<string, string>) {
    this.#paths = paths
    this.#account = account
    this.#environment = environment
  }

  /** For envd's port relay: takes connections to its port, and only those. */
  serve = (port: number, client: Socket, head: Buffer): boolean => {
    if (port !== interpreterPort) return false
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    void this.#relay(client, head)
    return true
  }

  /** Joins a client's connection to the interpreter; where that can't be had, the client's request is told why. */
  async #relay(client: Socket, head: Buffer): Promise<void> {
    try {
      if ('missing' in this.#paths) return refuse(client, head, this.#paths.missing)
      await this.#start(this.#paths)
      const upstream = connect(this.#paths.socket)
      await once(upstream, 'connect')
      join(client, upstream, head)
    } catch (error) {
      refuse(client, head, `the code interpreter did not start: ${(error as Error).message}`)
    }
  }

  /** Starts it ahead of the first connection, where it is installed. */
  prestart(): void {
    if (!('missing' in this.#paths)) this.#start(this.#paths).catch(() => undefined)
  }

  #start(paths: Exclude<InterpreterPaths, { missing: string }>): Promise<void> {
    this.#started ??= this.#launch(paths)
    this.#started.catch(() => (this.#started = undefined))
    return this.#started
  }

  async #launch({ python, script, socket }: Exclude<InterpreterPaths, { missing: string }>): Promise<void> {
    const { home, ids } = this.#account
    rmSync(dirname(socket), { force: true, recursive: true })
    mkdirSync(dirname(socket), { mode: 0o700 })
    if (ids) chownSync(dirname(socket), ids.uid, ids.gid)
    // Deaf to the user's PYTHON… variables, which are for the user's own programs.
    const child = spawn(python, ['-E', '-s', '-B', script, socket, home], {
      cwd: home,
      ...ids,
      env: this.#environment,
      // Errors go to envd's log.
      stdio: withoutTerminals<IOType>(['ignore', 'pipe', 'inherit']),
      detached: true,
    })
    const ended = new Promise<never>((_resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        // The next connection starts another.
        this.#started = undefined
        reject(new Error(`its server ended with ${signal ?? `code ${code}`}`))
      })
    })
    ended.catch(() => undefined)
    // It prints one line once it listens.
    await Promise.race([once(child.stdout!, 'data'), ended])
  }
}

// A 500 and not a 502, of which clients make a sandbox's end. Clients show a 500's reason, and not its body.
function refuse(client: Socket, head: Buffer, message: string): void {
  const refusal = createServer((_request, response) => {
    const body = JSON.stringify({ code: 500, message })
    response.writeHead(500, message.replace(/[^\x20-\x7e]/g, ' '), {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    })
    response.end(body)
  })
  if (head.length > 0) client.unshift(head)
  refusal.emit('connection', client)
}
