import { z } from 'zod'
import { DAY, envs, oneLine, text } from '../fields.ts'

const metadata = z.record(oneLine(100), text(1000))
const cursor = oneLine(2000).optional().describe('`nextToken` of the page before')

export const sandboxInputs = {
  'sandbox.getInfo': z.strictObject({}),
  'sandbox.getMetrics': z.strictObject({
    start: z.number().optional().describe('ms since the epoch'),
    end: z.number().optional(),
  }),
  'sandbox.setTimeout': z.strictObject({ timeoutMs: z.int().min(1_000).max(DAY) }),
  'sandbox.createSnapshot': z.strictObject({ name: oneLine(100).optional() }),
  'sandbox.fork': z.strictObject({
    count: z.int().min(1).max(10).default(1),
    timeoutMs: z.int().min(1_000).max(DAY).default(300_000),
  }),
}

/** Of the account rather than of one sandbox. */
export const accountInputs = {
  'sandbox.list': z.strictObject({
    state: z.array(z.enum(['running', 'paused'])).optional(),
    metadata: metadata.optional(),
    limit: z.int().min(1).max(100).default(100),
    nextToken: cursor,
  }),
  'sandbox.listSnapshots': z.strictObject({
    sandboxId: oneLine(100).optional(),
    limit: z.int().min(1).max(100).default(100),
    nextToken: cursor,
  }),
  'sandbox.deleteSnapshot': z.strictObject({ snapshotId: oneLine(300) }),
  'template.exists': z.strictObject({ name: oneLine(200) }),
  'template.build': z
    .strictObject({
      name: oneLine(200).describe('With a tag or without, as "agents" or "agents:v2"'),
      from: z.union([
        z.strictObject({ template: oneLine(200) }),
        z.strictObject({ image: oneLine(300) }),
        z.strictObject({ dockerfile: text(64 * 1024) }),
      ]),
      run: z
        .array(text(16 * 1024).min(1))
        .max(100)
        .default([])
        .describe('Command lines, in order'),
      envs: envs.optional(),
      start: z.strictObject({ cmd: text(16 * 1024).min(1), ready: text(16 * 1024).min(1) }).optional(),
      cpuCount: z.int().min(1).max(64).optional(),
      memoryMB: z.int().min(128).max(262_144).optional(),
    })
    .describe('`Template.build`'),
}
