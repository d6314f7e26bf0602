import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

interface Service {
  image?: string
  build?: { target: string }
  environment?: Record<string, string>
  secrets?: string[]
  volumes?: string[]
  ports?: string[]
  entrypoint?: string[]
  restart?: string
  healthcheck?: object
}

/** docker-compose.yml as it is written. */
export const compose = parse(readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8'), {
  merge: true,
}) as {
  services: Record<string, Service>
  secrets: Record<string, { file: string }>
  volumes: Record<string, null>
}

/** `${NAME:-default}` as it is without NAME. */
export const withDefaults = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')

/**
 * A service's environment, with other values for some of its names.
 *
 * @param secrets the folder that has the files of /run/secrets
 * @throws Error where the service doesn't have a name of `changes`
 */
export function environmentOf(
  service: string,
  secrets: string,
  changes: Record<string, string>,
): Record<string, string> {
  const { environment = {} } = compose.services[service]!
  const foreign = Object.keys(changes).filter((name) => !(name in environment))
  if (foreign.length > 0) throw new Error(`${service} of docker-compose.yml has no ${foreign.join(', ')}`)
  const settings = Object.entries({ ...environment, ...changes }).map(([name, value]) => [
    name,
    withDefaults(value).replace(/^\/run\/secrets/, secrets),
  ])
  return Object.fromEntries(settings) as Record<string, string>
}
