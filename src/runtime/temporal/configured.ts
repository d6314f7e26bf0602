import { loadClientConnectConfig } from '@temporalio/envconfig'
import type { Address } from './reachable.ts'

export interface ConfiguredServer {
  connection: Address
  namespace: string
  /** Where the address was found, for people. */
  source: string
  uiUrl: string | undefined
}

/**
 * The server that the environment or an envconfig profile names; undefined where neither does.
 *
 * @throws Error where the profile can't be read
 */
export function configuredServer(env: NodeJS.ProcessEnv): ConfiguredServer | undefined {
  const { connectionOptions, namespace = 'default' } = load(env)
  const { address, apiKey, tls, metadata } = connectionOptions
  if (!address) return undefined
  return {
    connection: {
      address,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(tls === undefined || tls === null ? {} : { tls }),
      ...(metadata === undefined ? {} : { metadata }),
    },
    namespace,
    source: env['TEMPORAL_ADDRESS']
      ? 'TEMPORAL_ADDRESS'
      : `the Temporal profile "${env['TEMPORAL_PROFILE'] || 'default'}"`,
    uiUrl: cloudUi(address),
  }
}

function load(env: NodeJS.ProcessEnv): ReturnType<typeof loadClientConnectConfig> {
  const set = Object.entries(env).filter((entry): entry is [string, string] => Boolean(entry[1]))
  try {
    return loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(set) })
  } catch (error) {
    throw new Error(
      `the Temporal profile can't be read (${(error as Error).message}): correct the file that TEMPORAL_CONFIG_FILE ` +
        'names (or the default one), or set TEMPORAL_ADDRESS',
      { cause: error },
    )
  }
}

function cloudUi(address: string): string | undefined {
  return /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address) ? 'https://cloud.temporal.io' : undefined
}
