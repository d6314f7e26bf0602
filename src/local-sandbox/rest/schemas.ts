import { z } from 'zod'
import { envdPort } from '../proxy/classify.ts'

// Bodies of the control API. What isn't offered yet is refused by name rather than ignored.

const seconds = z.number().int().min(0)
const strings = z.record(z.string(), z.string())

export const network = z.object({
  allowOut: z.array(z.string()).optional(),
  denyOut: z.array(z.string()).optional(),
  allowPublicTraffic: z.boolean().optional(),
  maskRequestHost: z.string().optional(),
  rules: z
    .record(
      z.string().transform((host) => host.toLowerCase()),
      z.array(z.object({ transform: z.object({ headers: strings.optional() }).optional() })),
    )
    .optional(),
  egressProxy: z
    .object({ address: z.string(), username: z.string().optional(), password: z.string().optional() })
    .optional(),
  httpsPorts: z
    .array(
      z
        .number()
        .int()
        .min(1)
        .max(65_535)
        .refine((port) => port !== envdPort, "is envd's; leave it out"),
    )
    .optional(),
})

export const newSandbox = z.object({
  templateID: z.string().min(1),
  timeout: seconds.optional(),
  metadata: strings.optional(),
  envVars: strings.optional(),
  autoPause: z.boolean().optional(),
  autoPauseMemory: z.boolean().optional(),
  autoResume: z.object({ enabled: z.boolean() }).optional(),
  allow_internet_access: z.boolean().optional(),
  network: network.optional(),
  // Nothing to do for a server: the client itself starts the template's `mcp-gateway` program.
  mcp: z.record(z.string(), z.unknown()).nullish(),
  iam: z.never('is not offered by this server; leave it out').optional(),
  volumeMounts: z
    .array(z.unknown())
    .max(0, 'volumes are not offered by this server; leave them out')
    .optional(),
})

export const connectBody = z.object({ timeout: seconds.optional(), memory: z.boolean().optional() })
export const pauseBody = z.object({ memory: z.boolean().optional() })
export const timeoutBody = z.object({ timeout: seconds })
export const refreshBody = z.object({ duration: seconds.optional() })
export const networkBody = network
  .omit({ allowPublicTraffic: true, maskRequestHost: true, httpsPorts: true })
  .extend({ allow_internet_access: z.boolean().optional() })

const page = {
  limit: z.coerce.number().int().min(1).max(100).optional(),
  nextToken: z.string().optional(),
}
export const pageQuery = z.object(page)
export const snapshotBody = z.object({ name: z.string().optional(), memory: z.boolean().optional() })
export const snapshotsQuery = z.object({
  sandboxID: z.string().optional(),
  name: z.string().optional(),
  ...page,
})
export const forkBody = z.object({
  timeout: seconds.optional(),
  count: z.number().int().min(1).max(100).optional(),
})

export const newTemplate = z.object({
  name: z.string().optional(),
  /** The name's old name. */
  alias: z.string().optional(),
  tags: z.array(z.string()).optional(),
})
export const buildBody = z.object({
  fromImage: z.string().optional(),
  fromTemplate: z.string().optional(),
  startCmd: z.string().optional(),
  readyCmd: z.string().optional(),
  steps: z
    .array(
      z.object({
        type: z.string(),
        args: z.array(z.string()).default([]),
        filesHash: z.string().optional(),
      }),
    )
    .default([]),
})
export const buildStatusQuery = z.object({ logsOffset: z.coerce.number().int().min(0).optional() })
export const assignTagsBody = z.object({ target: z.string(), tags: z.array(z.string()).min(1) })
export const removeTagsBody = z.object({ name: z.string(), tags: z.array(z.string()).min(1) })

const unixTime = z.coerce.number().min(0).optional()
export const metricsQuery = z.object({ start: unixTime, end: unixTime })

const logsLimit = z.coerce.number().int().min(0).max(1000).optional()
export const logsQuery = z.object({
  cursor: unixTime,
  direction: z.enum(['forward', 'backward']).optional(),
  level: z.enum(['debug', 'info', 'warn', 'error']).optional(),
  limit: logsLimit,
  search: z.string().max(256).optional(),
})
export type LogsQuery = z.infer<typeof logsQuery>
export const oldLogsQuery = z.object({ start: unixTime, limit: logsLimit })

export const listQuery = z.object({
  metadata: z.string().optional(),
  state: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(['running', 'paused'])))
    .optional(),
  template: z.string().optional(),
  order: z.enum(['asc', 'desc']).optional(),
  startedAfter: z.iso.datetime({ offset: true }).optional(),
  ...page,
})
export type ListQuery = z.infer<typeof listQuery>
