import { expect, test } from 'vitest'
import { createSecretStore } from '../../src/activities/lib/secrets.ts'
import { createLogger, temporalLogger } from '../../src/runtime/logger.ts'

const SECRET = 'a "canary"\\of words'

function logged(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = []
  const secrets = createSecretStore([], { known: [SECRET, 'short'] })
  write(createLogger('info', (line) => secrets.redact(line), { write: (line) => void lines.push(line) }))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('a known secret is in no line, wherever it stands: message, field, error', () => {
  const lines = logged((log) => {
    log.info({ token: SECRET, list: [SECRET] }, `the token is ${SECRET}`)
    temporalLogger(log).error('it failed', { workflowId: 'w', error: new Error(`with ${SECRET}`) })
    log.info(Buffer.from(SECRET).toString('base64'))
  })
  expect(JSON.stringify(lines)).not.toMatch(/canary|Y2FuYXJ5|IllhbmFyeS/)
  expect(lines).toMatchObject([
    { token: '***', list: ['***'], msg: 'the token is ***' },
    { workflowId: 'w', msg: 'it failed', error: { type: 'Error', message: 'with ***' } },
    { msg: '***' },
  ])
})

test('a short word that happens to be a secret does not spoil every line', () => {
  expect(logged((log) => log.info('in short'))).toMatchObject([{ msg: 'in short' }])
})
