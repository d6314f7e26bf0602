import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadWorkerConfig } from '../../src/config.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

interface Service {
  image?: string
  build?: { target: string }
  environment?: Record<string, string>
  secrets?: string[]
  volumes?: string[]
  ports?: string[]
  entrypoint?: string[]
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>
  secrets: Record<string, { file: string }>
  volumes: Record<string, null>
}
const services = Object.entries(compose.services)
const dockerfile = read('Dockerfile')

/** `${NAME:-default}` as it is without NAME. */
const withDefaults = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')

describe.each(services)('the service %s', (name, service) => {
  test('has an image of one version', () => {
    expect(withDefaults(service.image!)).toMatch(/^[\w./-]+:v?\d+\.\d+(\.\d+)?$/)
  })

  test('is built by a target of the Dockerfile, if by us', () => {
    if (service.build) expect(dockerfile).toMatch(new RegExp(`^FROM \\S+ AS ${service.build.target}$`, 'm'))
    else expect(service.image).not.toMatch(/holdfast/)
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
    for (const volume of service.volumes ?? []) {
      const [source] = volume.split(':')
      if (source!.startsWith('./')) expect(existsSync(join(ROOT, source!)), source).toBe(true)
      else expect(Object.keys(compose.volumes)).toContain(source)
    }
    const script = /^\/deploy\/(\S+)$/.exec(service.entrypoint?.[0] ?? '')?.[1]
    if (script) expect(statSync(join(ROOT, 'deploy/temporal', script)).mode & 0o111).toBe(0o111)
  })
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
    healthPort: 8080,
    metricsHost: '0.0.0.0',
    metricsPort: 9464,
  })
  const source = read('src/config.ts') + read('docs/security.md')
  for (const name of Object.keys(settings).filter((name) => /^HOLDFAST_(?!SECRET_)/.test(name)))
    expect(source, name).toContain(name)
})
