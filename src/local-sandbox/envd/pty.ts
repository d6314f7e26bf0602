import { closeSync, constants, fchownSync, openSync, readSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import type { Ids } from './account.ts'
import nativeBytes from 'holdfast:pty.node'
import { loadNative } from './native.ts'

/** What is used of node-pty's native part. */
interface Native {
  open(cols: number, rows: number): { master: number; slave: number; pty: string }
  resize(master: number, cols: number, rows: number): void
}

export interface PtySize {
  cols: number
  rows: number
}

/** A pseudo-terminal: our side, and the one for the child's stdio, which closes with ours. */
export interface Pty {
  ours: ReadStream
  theirs: number
  resize: (size: PtySize) => void
  /** Ends our side after all that was written, to be called when the child has exited. */
  finish: () => void
}

let native: Native | undefined
const masters = new Set<number>()
let nowhere: number | undefined

/**
 * A child's stdio with which it doesn't get at terminals: the native part leaves their master side open to children,
 * who would read and write what is another command's, maybe root's. Nothing is put in its place.
 */
export function withoutTerminals<Entry>(stdio: Entry[]): (Entry | 'ignore' | number)[] {
  const length = Math.max(stdio.length, ...[...masters].map((master) => master + 1))
  nowhere ??= openSync('/dev/null', 'r+')
  return Array.from({ length }, (_, fd) => stdio[fd] ?? (masters.has(fd) ? nowhere! : 'ignore'))
}

/** Opens a pseudo-terminal, the owner's where named. `runDir` takes the native part. Throws where this machine has none. */
export function openPty({ cols, rows }: PtySize, runDir: string, owner: Ids | undefined): Pty {
  const library = (native ??= loadNative('pty', nativeBytes, runDir) as Native)
  const { master, slave, pty } = library.open(cols, rows)
  // The library's is non-blocking, which shells take for the end of their input.
  const theirs = openSync(pty, constants.O_RDWR | constants.O_NOCTTY)
  if (owner) fchownSync(theirs, owner.uid, owner.gid)
  closeSync(slave)
  masters.add(master)
  const ours = new ReadStream(master)
  // Were it closed before, the hang-up would come first: Node takes that for the end, with output still unread.
  ours.once('close', () => {
    masters.delete(master)
    closeSync(theirs)
  })
  ours.once('end', () => ours.destroy())
  return {
    ours,
    theirs,
    resize: (size) => library.resize(master, size.cols, size.rows),
    finish() {
      if (ours.destroyed) return
      for (let rest = readRest(master); rest; rest = readRest(master)) ours.push(rest)
      ours.push(null)
    },
  }
}

function readRest(master: number): Buffer | undefined {
  const buffer = Buffer.alloc(16 * 1024)
  try {
    const length = readSync(master, buffer)
    return length > 0 ? buffer.subarray(0, length) : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    return undefined
  }
}
