import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

const identity = z.object({ pid: z.number().int().positive(), startedAt: z.string() })

const serverRecord = z.object({
  server: identity,
  /** The process that started it or took it over, and will stop it. */
  owner: identity,
  port: z.number().int(),
  uiPort: z.number().int(),
})

/** What is known of the server on a data file. Kept after its end, for its ports. */
export type ServerRecord = z.infer<typeof serverRecord>

/** The record, or undefined where there is none that can be read. */
export function readRecord(file: string): ServerRecord | undefined {
  try {
    return serverRecord.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data
  } catch {
    return undefined
  }
}

/** Synchronous and by rename: nothing comes between a server's start and its record. */
export function writeRecord(file: string, record: ServerRecord): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(record)}\n`)
  renameSync(`${file}.new`, file)
}
