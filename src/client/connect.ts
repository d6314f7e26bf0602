import { Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client'
import { loadClientConnectConfig } from '@temporalio/envconfig'
import { DEFAULT_OWNER, DEFAULT_TASK_QUEUE } from '../contract/job.ts'
import { isBlobStoreUrl, lazyBlobStore } from '../blobs/open.ts'
import { CLAIM_CHECK_BYTES } from '../payloads/claim-check.ts'
import { dataConverter } from '../payloads/data-converter.ts'
import { traceClient } from '../tracing/start.ts'
import { blobsOfClient } from './blobs.ts'
import { failingOnceClosed } from './closed.ts'
import { HoldfastError } from './errors.ts'
import { Jobs } from './jobs.ts'
import { keysOfClient } from './keys.ts'

export interface ConnectOptions {
  /** `host:port` of Temporal's frontend. Otherwise Temporal's envconfig: `TEMPORAL_ADDRESS`, or the profile's. */
  address?: string
  namespace?: string
  /** A profile of Temporal's configuration file; otherwise `TEMPORAL_PROFILE`. */
  profile?: string
  /** Where the workers listen. */
  taskQueue?: string
  /**
   * `file:///folder` or `s3://bucket/prefix`, where the workers keep what is too large for a history; otherwise
   * `HOLDFAST_BLOB_STORE`. Following outputs, large specs and large results need it.
   */
  blobStore?: string
  /** The workers' `HOLDFAST_OWNER`, which is the default; `holdfast` without. */
  owner?: string
  /**
   * The workers' keys, `id:base64` apart by commas; otherwise `HOLDFAST_ENCRYPTION_KEYS`, or the file that
   * `HOLDFAST_ENCRYPTION_KEYS_FILE` names. Without any nothing is encrypted.
   */
  encryptionKeys?: string
  /** How long the server may take to answer the first time, in ms; 10,000 by default. */
  timeoutMs?: number
}

/**
 * Connects to Temporal, by its own environment configuration (address, namespace, TLS, API key), and returns the client.
 *
 * @throws HoldfastError `ServerUnreachable` where nobody answers at the address, `SettingsInvalid`, `PayloadKeysInvalid`
 */
export async function connect(options: ConnectOptions = {}): Promise<Jobs> {
  const { connectionOptions, namespace } = temporalSettings(options.profile)
  const address = options.address ?? connectionOptions.address ?? 'localhost:7233'
  const owner = options.owner ?? (process.env.HOLDFAST_OWNER || DEFAULT_OWNER)
  const blobStore = options.blobStore ?? (process.env.HOLDFAST_BLOB_STORE || undefined)
  if (blobStore && !isBlobStoreUrl(blobStore))
    throw new HoldfastError(
      'SettingsInvalid',
      `HOLDFAST_BLOB_STORE ${blobStore} is no URL such as file:///var/lib/holdfast/blobs or s3://bucket/prefix`,
    )
  const ours = options.namespace ?? namespace ?? 'default'
  const keys = keysOfClient(options.encryptionKeys)
  const payloads = dataConverter(keys, {
    deployment: { owner, namespace: ours },
    blobs: blobStore ? lazyBlobStore(blobStore) : undefined,
    minBytes: CLAIM_CHECK_BYTES,
  })
  const connectTimeout = options.timeoutMs ?? 10_000
  try {
    const connection = await Connection.connect({
      ...connectionOptions,
      address,
      connectTimeout,
      interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions()), failingOnceClosed],
    })
    return new Jobs(connection, {
      namespace: ours,
      taskQueue: options.taskQueue ?? DEFAULT_TASK_QUEUE,
      owner,
      openBlobs: blobsOfClient(blobStore, keys),
      tracing: await traceClient(),
      dataConverter: payloads,
    })
  } catch (error) {
    const told = HoldfastError.from(error)
    if (told instanceof HoldfastError && told.type === 'SettingsInvalid') throw told
    throw new HoldfastError('ServerUnreachable', `no Temporal server answers at ${address}`, { cause: error })
  }
}

/** Temporal's envconfig. @throws HoldfastError `SettingsInvalid`, as of a profile that isn't there */
function temporalSettings(profile: string | undefined) {
  try {
    return loadClientConnectConfig(profile ? { profile } : {})
  } catch (error) {
    const message = `Temporal's configuration (TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE): ${(error as Error).message}`
    throw new HoldfastError('SettingsInvalid', message, { cause: error })
  }
}
