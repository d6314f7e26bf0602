import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Process } from '../gen/process_pb.js'

export interface CommandOptions {
  cwd?: string | undefined
  envs?: Record<string, string> | undefined
  user?: string | undefined
  /** Ends the call, which throws then; what it has started goes on. */
  signal?: AbortSignal | undefined
  onOutput?: ((stream: 'stdout' | 'stderr', data: Uint8Array) => void) | undefined
}

/** The server's own calls to a sandbox's envd, as clients make them. */
export class EnvdClient {
  #socketPath: string

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** Runs a shell command to its end, and resolves to its exit code; -1 for a signal. */
  async run(command: string, options: CommandOptions = {}): Promise<number> {
    for await (const { event } of this.#start(command, options)) {
      if (event?.event.case === 'data') {
        const { output } = event.event.value
        if (output.case === 'stdout' || output.case === 'stderr')
          options.onOutput?.(output.case, output.value)
      }
      if (event?.event.case === 'end') return event.event.value.exitCode
    }
    throw new Error('envd ended the command without telling how it went')
  }

  /** Starts a shell command, which goes on by itself. */
  async launch(command: string, options: CommandOptions = {}): Promise<void> {
    for await (const { event } of this.#start(command, options)) if (event?.event.case === 'start') return
  }

  /** Writes a file of the host's into the sandbox. */
  async upload(file: string, path: string): Promise<void> {
    const outgoing = request({
      socketPath: this.#socketPath,
      method: 'POST',
      path: `/files?path=${encodeURIComponent(path)}`,
      headers: { 'content-type': 'application/octet-stream' },
    })
    const answered = new Promise<number>((resolve, reject) => {
      outgoing.on('error', reject)
      outgoing.on('response', (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
    })
    await pipeline(createReadStream(file), outgoing)
    const status = await answered
    if (status !== 200) throw new Error(`envd answered ${status} to the upload of ${path}`)
  }

  #start(command: string, { cwd, envs = {}, user, signal }: CommandOptions) {
    const nodeOptions = { socketPath: this.#socketPath }
    const transport = createConnectTransport({ baseUrl: 'http://envd', httpVersion: '1.1', nodeOptions })
    const process = { cmd: '/bin/bash', args: ['-l', '-c', command], envs, ...(cwd !== undefined && { cwd }) }
    const authorization = `Basic ${Buffer.from(`${user}:`).toString('base64')}`
    const headers = user === undefined ? {} : { authorization }
    return createClient(Process, transport).start(
      { process, stdin: false },
      { headers, ...(signal && { signal }) },
    )
  }
}
