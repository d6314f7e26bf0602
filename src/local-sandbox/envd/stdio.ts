import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, constants, openSync, unlinkSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'

const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK } = constants
const batch = 32

/** One end for us, one for the child. */
export interface Pipe {
  ours: Socket
  /** For `spawn`'s stdio; close it once the child has it. */
  theirs: number
}

/**
 * Real pipes for a child's stdio. Node's own are sockets, and a program that opens `/dev/stdout`, `/dev/stderr` or
 * `/dev/stdin` gets ENXIO from those. Node can't call pipe(2), so these are named pipes whose name is gone at once.
 * Whoever a child runs as may open its own again; nobody else can, without a name.
 */
export class Pipes {
  readonly dir: string
  #spare: string[] = []

  constructor(dir: string) {
    this.dir = dir
    this.#refill()
  }

  /** A pipe we write and the child reads. */
  toChild(): Pipe {
    return this.#open(O_WRONLY, O_RDONLY)
  }

  /** A pipe the child writes and we read. */
  fromChild(): Pipe {
    return this.#open(O_RDONLY, O_WRONLY)
  }

  #open(ourMode: number, theirMode: number): Pipe {
    if (this.#spare.length === 0) this.#refill()
    const path = this.#spare.pop()!
    // Open for both directions first: with a reader and a writer there, no later open blocks.
    const both = openSync(path, O_RDWR | O_NONBLOCK)
    try {
      // Only our end is non-blocking: the flag belongs to the open file, which the child shares.
      const fd = openSync(path, ourMode | O_NONBLOCK)
      const theirs = openSync(path, theirMode)
      const readable = ourMode === O_RDONLY
      return { ours: new Socket({ fd, readable, writable: !readable }), theirs }
    } finally {
      closeSync(both)
      unlinkSync(path)
    }
  }

  #refill(): void {
    const paths = Array.from({ length: batch }, () => join(this.dir, `pipe-${randomUUID()}`))
    const made = spawnSync('mkfifo', ['-m', '666', ...paths], { encoding: 'utf8' })
    if (made.status !== 0)
      throw new Error(`mkfifo failed in ${this.dir}: ${made.stderr ?? made.error?.message}`)
    this.#spare = paths
  }
}
