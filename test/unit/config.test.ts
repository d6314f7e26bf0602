import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { environmentSecret, loadWorkerConfig } from '../../src/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-config-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (text: string): string => {
  const path = join(folder, `${randomUUID()}.yaml`)
  writeFileSync(path, text)
  return path
}

test('with a key alone every other setting has its default', () => {
  expect(loadWorkerConfig({ E2B_API_KEY: 'k' })).toMatchObject({
    taskQueue: 'holdfast',
    owner: 'holdfast',
    e2b: { apiKey: 'k' },
  })
})

test('the environment wins over the file, and the file over the default', () => {
  const config = file(
    'taskQueue: from-file\nmaxActivities: 7\ne2b: { apiKey: file-key, domain: e2b.example }',
  )
  expect(loadWorkerConfig({ HOLDFAST_CONFIG: config, HOLDFAST_TASK_QUEUE: 'from-env' })).toMatchObject({
    taskQueue: 'from-env',
    maxActivities: 7,
    e2b: { apiKey: 'file-key', domain: 'e2b.example' },
  })
})

test('a deployment is a name with a build', () => {
  const env = { E2B_API_KEY: 'k', HOLDFAST_DEPLOYMENT_NAME: 'holdfast', HOLDFAST_BUILD_ID: '1.2.0' }
  expect(loadWorkerConfig(env).deployment).toEqual({ name: 'holdfast', buildId: '1.2.0' })
  expect(loadWorkerConfig({ E2B_API_KEY: 'k', HOLDFAST_BUILD_ID: '' }).deployment).toBeUndefined()
})

test.each([
  [
    'a build of no deployment',
    { E2B_API_KEY: 'k', HOLDFAST_BUILD_ID: '1' },
    /HOLDFAST_DEPLOYMENT_NAME \(deployment\.name .*\): is missing: .* go together/,
  ],
  [
    'a rate of nothing',
    { E2B_API_KEY: 'k', HOLDFAST_ACTIVITIES_PER_SECOND: '0' },
    /HOLDFAST_ACTIVITIES_PER_SECOND/,
  ],
  ['half a tuner', { E2B_API_KEY: 'k', HOLDFAST_TARGET_CPU: '0.9' }, /HOLDFAST_TARGET_MEMORY .*go together/],
  ['a share above all', { E2B_API_KEY: 'k', HOLDFAST_TARGET_CPU: '90' }, /HOLDFAST_TARGET_CPU /],
  [
    'creates that are none',
    { E2B_API_KEY: 'k', HOLDFAST_CREATES_PER_SECOND: '-1' },
    /HOLDFAST_CREATES_PER_SECOND/,
  ],
  ['no key', {}, /E2B_API_KEY \(e2b\.apiKey .*\): is missing/],
  [
    'a number that is none',
    { E2B_API_KEY: 'k', HOLDFAST_MAX_ACTIVITIES: 'many' },
    /HOLDFAST_MAX_ACTIVITIES .*: is not a number/,
  ],
  [
    'a port that is none',
    { E2B_API_KEY: 'k', HOLDFAST_HEALTH_PORT: '70000' },
    /HOLDFAST_HEALTH_PORT .*65535/,
  ],
  ['an owner with a space', { E2B_API_KEY: 'k', HOLDFAST_OWNER: 'a b' }, /HOLDFAST_OWNER .*: is not 1 to 64/],
  [
    'an encryption key that is too short',
    { E2B_API_KEY: 'k', HOLDFAST_ENCRYPTION_KEYS: 'a:c2hvcnQ=' },
    /HOLDFAST_ENCRYPTION_KEYS .*: key 1 \(a\) has 5 bytes/,
  ],
  ['a file that is not there', { HOLDFAST_CONFIG: '/nowhere.yaml' }, /nowhere\.yaml/],
  ['a file that is a list', { HOLDFAST_CONFIG: file('- a') }, /not a mapping/],
])('%s is told by name', (_, env, message) => {
  expect(() => loadWorkerConfig(env)).toThrow(message)
})

test('a job can name only secrets that were given for jobs, not the keys of the worker', () => {
  const lookup = environmentSecret({ HOLDFAST_SECRET_GIT_TOKEN: 't', E2B_API_KEY: 'k' })
  expect([lookup('GIT_TOKEN'), lookup('E2B_API_KEY')]).toEqual(['t', undefined])
})
