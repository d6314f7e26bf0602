import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadWorkerConfig } from '../../src/config.ts'
import { METRICS } from '../../src/contract/metrics.ts'
import { compose, withDefaults } from '../support/compose.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const services = Object.entries(compose.services)
const targets = [...read('Dockerfile').matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name)

describe.each(services)('the service %s', (name, service) => {
  test('has an image of one version', () => {
    expect(withDefaults(service.image!)).toMatch(/^[\w./-]+:v?\d+\.\d+(\.\d+)?$/)
  })

  test('is built by a target of the Dockerfile, if by us', () => {
    const ours = service.image!.startsWith('holdfast')
    expect(service.build !== undefined).toBe(ours)
    expect(targets).toEqual(expect.arrayContaining(service.build ? [service.build.target] : []))
  })

  test('is known to be well, unless it ends by itself: by a check of its own, or of its image', () => {
    const [, stage] = read('Dockerfile').split(new RegExp(`^FROM .* AS ${service.build?.target}$`, 'm'))
    const ofImage = stage?.split(/^FROM /m)[0]?.includes('HEALTHCHECK') ?? false
    expect(service.healthcheck !== undefined || ofImage).toBe(service.restart === 'unless-stopped')
  })

  test('has no password in its environment, only files of secrets that it mounts', () => {
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      if (!/PASSWORD|TOKEN|KEY/.test(variable)) continue
      expect(variable, name).toMatch(/_FILE$/)
      expect(service.secrets, variable).toContain(/^\/run\/secrets\/(\w+)$/.exec(value)?.[1])
    }
  })

  test('publishes its ports on this machine only', () => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('mounts what is there, and runs what can be run', () => {
    const sources = (service.volumes ?? []).map((volume) => volume.split(':')[0]!)
    const folders = sources.filter((source) => source.startsWith('./'))
    expect(folders.filter((folder) => !existsSync(join(ROOT, folder)))).toEqual([])
    const volumes = sources.filter((source) => !source.startsWith('./'))
    expect(Object.keys(compose.volumes)).toEqual(expect.arrayContaining(volumes))
    const scripts = (service.entrypoint ?? [])
      .filter((path) => path.startsWith('/deploy/'))
      .map((path) => path.replace(/^\/deploy/, 'deploy/temporal'))
    expect(scripts.filter((script) => (statSync(join(ROOT, script)).mode & 0o111) !== 0o111)).toEqual([])
  })
})

test('every image has the certificates by which TLS to Temporal is judged', () => {
  const [, first, ...others] = read('Dockerfile').split(/^FROM /m)
  expect(first).toMatch(/apt-get install .*\bca-certificates\b/)
  for (const stage of others) expect(stage).toMatch(/^holdfast AS/)
})

test('each secret is made by the script that the documentation names, and is no part of the image', () => {
  const script = read('deploy/make-secrets.sh')
  for (const [name, { file }] of Object.entries(compose.secrets)) {
    expect(file).toBe(`./deploy/secrets/${name}`)
    expect(script).toContain(`secrets/${name}`)
  }
  expect(read('.dockerignore').split('\n')).toContain('deploy/secrets')
  expect(read('.gitignore').split('\n')).toContain('deploy/secrets/')
})

test('every setting of the worker is one that it reads', () => {
  const { environment } = compose.services.worker!
  const env = Object.fromEntries(
    Object.entries(environment!).map(([name, value]) => [name.replace(/_FILE$/, ''), withDefaults(value)]),
  )
  const { HOLDFAST_ENCRYPTION_KEYS: _keys, ...settings } = env
  expect(loadWorkerConfig(settings)).toMatchObject({
    owner: 'holdfast',
    blobStore: 'file:///var/lib/holdfast/blobs',
    healthHost: '0.0.0.0',
    healthPort: 8080,
    metricsHost: '0.0.0.0',
    metricsPort: 9464,
  })
  const source = read('src/config.ts') + read('docs/security.md')
  for (const name of Object.keys(settings).filter((name) => /^HOLDFAST_(?!SECRET_)/.test(name)))
    expect(source, name).toContain(name)
})

const rules = parse(read('deploy/prometheus/alerts.yml')) as {
  groups: { rules: { alert: string; expr: string }[] }[]
}

test.each(rules.groups.flatMap((group) => group.rules))(
  'the alert $alert asks for metrics that there are, and docs/operations.md says what to do',
  ({ alert, expr }) => {
    const ours = Object.values(METRICS).map(({ name, kind }) => (kind === 'counter' ? `${name}_total` : name))
    for (const [name] of expr.matchAll(/holdfast_\w+/g)) expect(ours).toContain(name)
    expect(expr).toMatch(/holdfast_|temporal_|up\{/)
    expect(read('docs/operations.md')).toContain(`| \`${alert}\``)
  },
)
