import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { LIST_PRICES } from './contract/cost.ts'
import { DEFAULT_OWNER, DEFAULT_TASK_QUEUE } from './contract/job.ts'
import { type FieldProblem, parse } from './contract/parse.ts'
import { CLAIM_CHECK_BYTES } from './payloads/claim-check.ts'
import { encryptionKeys, encryptionKeysFile } from './payloads/keys.ts'

const notANumber = {
  error: ({ code }: { code?: string }) => (code === 'invalid_type' ? 'is not a number' : undefined),
}

/** A whole number, from YAML or as the environment has it. */
const wholeNumber = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  z.coerce.number(notANumber).int().min(min).max(max)

/** Temporal joins both by a dot. */
const versionPart = z
  .string({ error: 'is missing: HOLDFAST_DEPLOYMENT_NAME and HOLDFAST_BUILD_ID go together' })
  .regex(
    /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/,
    'is not 1 to 100 letters, digits, dots, dashes or underscores',
  )

const listenAddress = z
  .union([z.ipv4(), z.ipv6()], { error: 'is not an IP address such as 0.0.0.0' })
  .default('127.0.0.1')

const share = z.coerce
  .number({ error: 'is missing or no number: HOLDFAST_TARGET_MEMORY and HOLDFAST_TARGET_CPU go together' })
  .gt(0)
  .max(1)

const price = (list: number) => z.coerce.number(notANumber).min(0).default(list)

/** Settings of the worker. Each has a place in the file and a name in the environment; the environment wins. */
const workerConfig = z.strictObject({
  /** HOLDFAST_TASK_QUEUE */
  taskQueue: z.string().min(1).default(DEFAULT_TASK_QUEUE),
  /** HOLDFAST_WORKFLOWS: a TypeScript or JavaScript file that exports workflows of yours, to run beside Holdfast's */
  workflows: z.string().min(1).optional(),
  /** HOLDFAST_MODELS: a TypeScript or JavaScript file whose default export is a provider registry of the AI SDK */
  models: z.string().min(1).optional(),
  /** HOLDFAST_OWNER: marks this deployment's sandboxes; two deployments that share an E2B account need two. */
  owner: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'is not 1 to 64 letters, digits, dots, dashes or underscores')
    .default(DEFAULT_OWNER),
  e2b: z
    .strictObject({
      /** E2B_API_KEY, E2B_API_URL, E2B_SANDBOX_URL, E2B_DOMAIN: as the E2B SDK reads them */
      apiKey: z
        .string({ error: 'is missing: set E2B_API_KEY, or run `npx holdfast up` for a local sandbox server' })
        .min(1),
      apiUrl: z.url().optional(),
      sandboxUrl: z.url().optional(),
      domain: z.string().optional(),
      /** HOLDFAST_CREATES_PER_SECOND: sandboxes that this worker makes, for E2B's quota of creates. Unset, any number */
      createsPerSecond: z.coerce.number(notANumber).positive().optional(),
    })
    .prefault({} as never),
  secrets: z
    .strictObject({
      /** HOLDFAST_SECRETS_DIR: a folder with a file for each secret; the environment is asked first */
      folder: z.string().min(1).optional(),
      /** HOLDFAST_SECRETS_BY_EGRESS: whether git tokens of jobs stay outside of sandboxes: auto (where possible), always, never */
      byEgress: z.enum(['auto', 'always', 'never']).default('auto'),
      /** Where secrets may be used; everywhere if left out. Only in the file. */
      allow: z
        .array(
          z.strictObject({
            secret: z.string().min(1),
            urls: z.array(
              z
                .url({ protocol: /^https?$/ })
                .regex(/^[^?#]*\/$/, 'does not end with a slash: it is what URLs begin with'),
            ),
            /** Only for workers of these, where several read one file */
            owners: z.array(z.string().min(1)).optional(),
            taskQueues: z.array(z.string().min(1)).optional(),
          }),
        )
        .optional(),
    })
    .prefault({}),
  /** HOLDFAST_BLOB_STORE: where checkpoints are kept; all workers of a task queue must share it */
  blobStore: z
    .url({
      protocol: /^(file|s3)$/,
      error: 'is no URL such as file:///var/lib/holdfast/blobs or s3://bucket/prefix',
    })
    .default(() => pathToFileURL(join(homedir(), '.local', 'share', 'holdfast', 'blobs')).href),
  /** HOLDFAST_CLAIM_CHECK_BYTES: payloads of so many bytes are kept in the blob store; Temporal refuses 2 MiB */
  claimCheckBytes: wholeNumber(1_024, 1_900_000).default(CLAIM_CHECK_BYTES),
  /** HOLDFAST_ENCRYPTION_KEYS: `id:base64`, apart by commas; the first encrypts, all decrypt. Unset, nothing is encrypted. */
  encryptionKeys: encryptionKeys.optional(),
  /** HOLDFAST_ENCRYPTION_KEYS_FILE: the same in a file, where the former is unset */
  encryptionKeysFile: encryptionKeysFile.optional(),
  /** HOLDFAST_HEALTH_PORT: 0 takes a free one; unset serves no health endpoint */
  healthPort: wholeNumber(0, 65_535).optional(),
  /** HOLDFAST_HEALTH_HOST: the address to serve it at */
  healthHost: listenAddress,
  /** HOLDFAST_METRICS_PORT: serves `/metrics` for Prometheus; 0 takes a free one, unset serves none */
  metricsPort: wholeNumber(0, 65_535).optional(),
  /** HOLDFAST_METRICS_HOST: the address to serve them at */
  metricsHost: listenAddress,
  /** HOLDFAST_MAX_CACHED_WORKFLOWS: 100 KB to 600 KB of memory each */
  maxCachedWorkflows: wholeNumber(1).default(1_000),
  /** HOLDFAST_MAX_ACTIVITIES: commands followed at once */
  maxActivities: wholeNumber(1).default(100),
  /** Temporal's resource-based tuner: fewer commands are taken where the machine is nearly used up; unset, always `maxActivities` */
  tuner: z
    .strictObject({
      /** HOLDFAST_TARGET_MEMORY: the share of the machine's, or of the container's, such as 0.8 */
      memory: share,
      /** HOLDFAST_TARGET_CPU */
      cpu: share,
    })
    .optional(),
  /** HOLDFAST_ACTIVITIES_PER_SECOND: begun by all workers of the task queue together; the server keeps it. Unset, any number */
  activitiesPerSecond: z.coerce.number(notANumber).positive().optional(),
  /** Temporal's Worker Versioning; unset, every worker takes every job */
  deployment: z
    .strictObject({
      /** HOLDFAST_DEPLOYMENT_NAME */
      name: versionPart,
      /** HOLDFAST_BUILD_ID: another one for each release */
      buildId: versionPart,
    })
    .optional(),
  /** HOLDFAST_HEARTBEAT_MS: the least time between two heartbeats of an activity; Temporal Cloud bills each */
  heartbeatMs: wholeNumber(100, 8_000).default(5_000),
  /**
   * HOLDFAST_PRICE_VCPU_SECOND, HOLDFAST_PRICE_GIB_SECOND, HOLDFAST_PRICE_PAUSED_GIB_SECOND, HOLDFAST_PRICE_ACTION: in USD, for the
   * cost of jobs; list prices by default
   */
  prices: z
    .strictObject({
      vcpuSecond: price(LIST_PRICES.vcpuSecond),
      gibSecond: price(LIST_PRICES.gibSecond),
      pausedGibSecond: price(LIST_PRICES.pausedGibSecond),
      action: price(LIST_PRICES.action),
    })
    .prefault({}),
  /** HOLDFAST_LOG_LEVEL */
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
})

export type WorkerConfig = z.output<typeof workerConfig>

const ENVIRONMENT: Record<string, string[]> = {
  HOLDFAST_TASK_QUEUE: ['taskQueue'],
  HOLDFAST_WORKFLOWS: ['workflows'],
  HOLDFAST_MODELS: ['models'],
  HOLDFAST_OWNER: ['owner'],
  HOLDFAST_SECRETS_DIR: ['secrets', 'folder'],
  HOLDFAST_SECRETS_BY_EGRESS: ['secrets', 'byEgress'],
  HOLDFAST_BLOB_STORE: ['blobStore'],
  HOLDFAST_CLAIM_CHECK_BYTES: ['claimCheckBytes'],
  HOLDFAST_ENCRYPTION_KEYS: ['encryptionKeys'],
  HOLDFAST_ENCRYPTION_KEYS_FILE: ['encryptionKeysFile'],
  HOLDFAST_HEALTH_PORT: ['healthPort'],
  HOLDFAST_HEALTH_HOST: ['healthHost'],
  HOLDFAST_METRICS_PORT: ['metricsPort'],
  HOLDFAST_METRICS_HOST: ['metricsHost'],
  HOLDFAST_MAX_CACHED_WORKFLOWS: ['maxCachedWorkflows'],
  HOLDFAST_MAX_ACTIVITIES: ['maxActivities'],
  HOLDFAST_TARGET_MEMORY: ['tuner', 'memory'],
  HOLDFAST_TARGET_CPU: ['tuner', 'cpu'],
  HOLDFAST_ACTIVITIES_PER_SECOND: ['activitiesPerSecond'],
  HOLDFAST_CREATES_PER_SECOND: ['e2b', 'createsPerSecond'],
  HOLDFAST_DEPLOYMENT_NAME: ['deployment', 'name'],
  HOLDFAST_BUILD_ID: ['deployment', 'buildId'],
  HOLDFAST_HEARTBEAT_MS: ['heartbeatMs'],
  HOLDFAST_PRICE_VCPU_SECOND: ['prices', 'vcpuSecond'],
  HOLDFAST_PRICE_GIB_SECOND: ['prices', 'gibSecond'],
  HOLDFAST_PRICE_PAUSED_GIB_SECOND: ['prices', 'pausedGibSecond'],
  HOLDFAST_PRICE_ACTION: ['prices', 'action'],
  HOLDFAST_LOG_LEVEL: ['logLevel'],
  E2B_API_KEY: ['e2b', 'apiKey'],
  E2B_API_URL: ['e2b', 'apiUrl'],
  E2B_SANDBOX_URL: ['e2b', 'sandboxUrl'],
  E2B_DOMAIN: ['e2b', 'domain'],
}

const DEFAULT_FILE = 'holdfast.config.yaml'

/** What is wrong with the configuration: every field, where it was read, and its remedy. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * The worker's configuration: environment > file (`HOLDFAST_CONFIG`, or holdfast.config.yaml here) > default.
 *
 * @throws ConfigError naming every wrong field
 */
export function loadWorkerConfig(env: NodeJS.ProcessEnv = process.env): WorkerConfig {
  const { settings, file } = readFile(env.HOLDFAST_CONFIG)
  for (const [name, path] of Object.entries(ENVIRONMENT)) {
    const value = env[name]
    if (value !== undefined && value !== '') set(settings, path, value)
  }
  const parsed = parse(workerConfig, settings)
  if (parsed.ok) return parsed.value
  throw new ConfigError(
    [
      'the worker is not configured:',
      ...parsed.problems.map((problem) => `  ${explain(problem, file)}`),
    ].join('\n'),
  )
}

/** The value of a secret, from `HOLDFAST_SECRET_<NAME>`. The prefix keeps a job from naming the worker's own keys. */
export const environmentSecret =
  (env: NodeJS.ProcessEnv = process.env) =>
  (name: string): string | undefined =>
    env[`HOLDFAST_SECRET_${name}`]

/** The values of all secrets for jobs. */
export const environmentSecrets = (env: NodeJS.ProcessEnv = process.env): string[] =>
  Object.entries(env).flatMap(([name, value]) =>
    name.startsWith('HOLDFAST_SECRET_') && value ? [value] : [],
  )

function readFile(named: string | undefined): { settings: Record<string, unknown>; file: string } {
  const file = named ?? DEFAULT_FILE
  if (!named && !existsSync(file)) return { settings: {}, file }
  try {
    const settings: unknown = parseYaml(readFileSync(file, 'utf8')) ?? {}
    if (typeof settings !== 'object' || Array.isArray(settings)) throw new Error('it is not a mapping')
    return { settings: settings as Record<string, unknown>, file }
  } catch (error) {
    throw new ConfigError(`can't read the configuration file ${file}: ${(error as Error).message}`)
  }
}

function set(settings: Record<string, unknown>, [key = '', ...rest]: string[], value: string): void {
  if (rest.length === 0) {
    settings[key] = value
    return
  }
  const inner = (settings[key] ??= {}) as Record<string, unknown>
  set(inner, rest, value)
}

function explain({ field, problem }: FieldProblem, file: string): string {
  const name = Object.entries(ENVIRONMENT).find(([, path]) => path.join('.') === field)?.[0]
  return `${name ? `${name} (${field} in ${file})` : `${field} in ${file}`}: ${problem}`
}
