import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadClientConnectConfig } from '@temporalio/envconfig'
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker'
import { watchedActivities } from './activities/interceptors.ts'
import type { Logger as Pino } from 'pino'
import { createActivities } from './activities/index.ts'
import { redactedActivities } from './activities/redacting.ts'
import { openBlobStore } from './blobs/open.ts'
import { createE2B } from './activities/lib/e2b.ts'
import type { ModelProviders } from './activities/lib/models.ts'
import { HEARTBEAT_MS } from './activities/lib/heartbeat.ts'
import { rulesOf } from './activities/lib/secret-policy.ts'
import { createSecretStore, type SecretStore } from './activities/lib/secrets.ts'
import {
  ConfigError,
  environmentSecret,
  environmentSecrets,
  loadWorkerConfig,
  type WorkerConfig,
} from './config.ts'
import { dataConverter } from './payloads/data-converter.ts'
import { encryptedBlobs } from './payloads/encrypted-blobs.ts'
import { NO_KEYS } from './payloads/keys.ts'
import { serveHealth } from './runtime/health.ts'
import { installRuntime } from './runtime/install.ts'
import { createLogger } from './runtime/logger.ts'
import { gaugeOpenJobs } from './runtime/open-jobs.ts'
import { ownerStatus, scheduleReaper } from './runtime/reaper.ts'
import { tracesUrl, traceWorker, type WorkerTracing } from './tracing/start.ts'
import { registerSearchAttributes } from './runtime/search-attributes.ts'
import { folderSecret, folderSecrets } from './runtime/secrets.ts'
import { workflowAccess } from './workflow-access.ts'
import { extendedBundle, workflowBundle } from './runtime/workflow-bundle.ts'

export interface WorkerReady {
  taskQueue: string
  namespace: string
  healthPort: number | undefined
  /** Where Prometheus finds the metrics. */
  metricsUrl: string | undefined
  /** Where the traces go. */
  tracesUrl: string | undefined
}

/**
 * Runs a worker until SIGTERM or SIGINT: then it takes no more work, lets go of running commands (another worker
 * attaches to them), and ends. A second signal ends it at once.
 *
 * @throws ConfigError before anything is started
 */
export async function runWorker(
  onReady: (ready: WorkerReady) => void = () => undefined,
  config: WorkerConfig = loadWorkerConfig(),
): Promise<void> {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig()
  const secrets = openSecrets(config, connectionOptions.apiKey)
  const log = createLogger(config.logLevel, (line) => secrets.redact(line))
  const metricsUrl = await serveMetrics(config, log)
  const tracing = await traceWorker((text) => secrets.redact(text))
  const connection = await NativeConnection.connect(connectionOptions)
  let health: Server | undefined
  try {
    const problem = await registerSearchAttributes(connection, namespace)
    if (problem) log.warn(problem)
    await scheduleReaper(connection, { namespace, taskQueue: config.taskQueue, owner: config.owner })
    let state = (): string => 'STARTING'
    health = await openHealth(config, () => state())
    // Last: what was made, and can't run, keeps the connection from closing.
    const worker = await createWorker(config, connection, namespace, { secrets, tracing })
    state = () => worker.getState()
    const gauging = new AbortController()
    if (metricsUrl && !problem) {
      const { taskQueue } = config
      void gaugeOpenJobs(connection, { namespace, taskQueue, log, signal: gauging.signal })
    }
    const shutDown = onceThenForce(() => worker.shutdown())
    // A parent that dies closes our channel to it.
    process.on('SIGTERM', shutDown).on('SIGINT', shutDown).once('disconnect', shutDown)
    const ready = {
      taskQueue: config.taskQueue,
      namespace,
      healthPort: portOf(health),
      metricsUrl,
      tracesUrl: tracesUrl(),
    }
    log.info(ready, 'the worker is ready')
    onReady(ready)
    try {
      await worker.run()
    } finally {
      process.off('SIGTERM', shutDown).off('SIGINT', shutDown).off('disconnect', shutDown)
      gauging.abort()
    }
  } finally {
    health?.close()
    await connection.close()
    await tracing.flush()
  }
  log.info('the worker has stopped')
}

function openSecrets(
  { e2b, secrets: { folder, allow }, owner, taskQueue }: WorkerConfig,
  temporalKey: unknown,
): SecretStore {
  try {
    const known = [
      e2b.apiKey,
      ...(typeof temporalKey === 'string' ? [temporalKey] : []),
      ...environmentSecrets(),
      ...(folder ? folderSecrets(folder) : []),
    ]
    const providers = [environmentSecret(), ...(folder ? [folderSecret(folder)] : [])]
    return createSecretStore(providers, { known, rules: allow && rulesOf(allow, { owner, taskQueue }) })
  } catch (error) {
    throw new ConfigError(`HOLDFAST_SECRETS_DIR: ${folder} can't be read: ${(error as Error).message}`)
  }
}

async function serveMetrics(
  { metricsHost: host, metricsPort: port }: WorkerConfig,
  log: Pino,
): Promise<string | undefined> {
  try {
    return await installRuntime(log, port === undefined ? undefined : { host, port })
  } catch (error) {
    throw new ConfigError(
      `HOLDFAST_METRICS_PORT: nothing can listen at ${host}:${port}: ${(error as Error).message}`,
    )
  }
}

/** @throws ConfigError where the file has no registry */
async function loadModels(file: string): Promise<ModelProviders> {
  if (file.endsWith('.ts')) (await import('tsx/esm/api')).register()
  const { default: models } = (await import(pathToFileURL(resolve(file)).href)) as {
    default?: ModelProviders
  }
  if (typeof models?.languageModel !== 'function')
    throw new ConfigError(
      `HOLDFAST_MODELS: ${file} has no default export that createProviderRegistry of the AI SDK has made`,
    )
  return models
}

async function createWorker(
  config: WorkerConfig,
  connection: NativeConnection,
  namespace: string,
  { secrets, tracing }: { secrets: SecretStore; tracing: WorkerTracing },
): Promise<Worker> {
  const keys = config.encryptionKeys ?? config.encryptionKeysFile ?? NO_KEYS
  const blobs = await openBlobStore(config.blobStore)
  const payloads = dataConverter(keys, {
    deployment: { owner: config.owner, namespace },
    blobs: () => Promise.resolve(blobs),
    minBytes: config.claimCheckBytes,
  })
  return Worker.create({
    connection,
    namespace,
    dataConverter: payloads,
    taskQueue: config.taskQueue,
    workflowBundle: config.workflows
      ? await extendedBundle(config.workflows, payloads.failureConverterPath)
      : { codePath: await workflowBundle(payloads.failureConverterPath) },
    activities: createActivities({
      e2b: createE2B(config.e2b),
      secrets,
      byEgress: config.secrets.byEgress,
      blobs: encryptedBlobs(blobs, keys),
      models: config.models ? await loadModels(config.models) : undefined,
      tariff: { ...config.prices, heartbeatMs: Math.max(config.heartbeatMs, HEARTBEAT_MS) },
      owner: config.owner,
      namespace,
      ownerStatus: ownerStatus(connection, namespace),
      ...workflowAccess(connection, namespace, payloads),
    }),
    interceptors: { activity: [() => redactedActivities(secrets), ...tracing.activity, watchedActivities] },
    sinks: tracing.sinks,
    maxCachedWorkflows: config.maxCachedWorkflows,
    ...slots(config),
    ...(config.activitiesPerSecond && { maxTaskQueueActivitiesPerSecond: config.activitiesPerSecond }),
    ...(config.deployment && {
      workerDeploymentOptions: {
        useWorkerVersioning: true,
        version: { deploymentName: config.deployment.name, buildId: config.deployment.buildId },
        // Every version replays the histories of earlier ones.
        defaultVersioningBehavior: 'AUTO_UPGRADE',
      },
    }),
    maxHeartbeatThrottleInterval: config.heartbeatMs,
    defaultHeartbeatThrottleInterval: config.heartbeatMs,
    // After a worker's sudden death its workflows wait this long before another worker gets them; 10 s by default.
    stickyQueueScheduleToStartTimeout: '1s',
    // Commands survive their worker, so there is nothing to wait for before letting go of them.
    shutdownGraceTime: 0,
    shutdownForceTime: '20s',
  })
}

function slots({
  maxActivities,
  tuner,
}: WorkerConfig): Pick<WorkerOptions, 'tuner' | 'maxConcurrentActivityTaskExecutions'> {
  if (!tuner) return { maxConcurrentActivityTaskExecutions: maxActivities }
  return {
    tuner: {
      tunerOptions: { targetMemoryUsage: tuner.memory, targetCpuUsage: tuner.cpu },
      activityTaskSlotOptions: { maximumSlots: maxActivities },
    },
  }
}

async function openHealth(config: WorkerConfig, state: () => string): Promise<Server | undefined> {
  const { healthHost: host, healthPort: port, taskQueue } = config
  if (port === undefined) return undefined
  try {
    return await serveHealth({ host, port }, taskQueue, state)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new ConfigError(
      code === 'EADDRINUSE'
        ? `HOLDFAST_HEALTH_PORT: port ${port} is taken; name another, or 0 for a free one`
        : `HOLDFAST_HEALTH_HOST: nothing can listen at ${host}:${port}: ${message}`,
    )
  }
}

const portOf = (server: Server | undefined): number | undefined =>
  (server?.address() as AddressInfo | undefined)?.port

function onceThenForce(stop: () => void): () => void {
  let asked = false
  return () => {
    if (asked) process.exit(130)
    asked = true
    stop()
  }
}
