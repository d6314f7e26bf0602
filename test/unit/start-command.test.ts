import { expect, test } from 'vitest'
import { runStartCommand } from '../../src/local-sandbox/sandboxes/start-command.ts'

/** An envd whose commands end with these codes, one after the other; the next one never returns. */
function envd(...codes: number[]) {
  const asked: string[] = []
  return {
    asked,
    launch: async (command: string) => void asked.push(command),
    run: async (command: string, { signal }: { signal?: AbortSignal | undefined } = {}) => {
      asked.push(command)
      signal?.throwIfAborted()
      const code = codes.shift()
      return new Promise<number>((resolve, reject) => {
        if (code !== undefined) return resolve(code)
        signal?.addEventListener('abort', () => reject(new Error('canceled')))
      })
    },
  }
}
const start = { command: 'serve', ready: 'probe' }
const nobody = new AbortController().signal

test('it is ready once the ready command has succeeded', async () => {
  const inside = envd(1, 0)
  await runStartCommand(inside, start, nobody)
  expect(inside.asked).toEqual(['serve', 'probe', 'probe'])
})

test.each([
  ['fails', Array<number>(1000).fill(1)],
  ['never returns', []],
  ['fails and then never returns', [1]],
])('a ready command that %s until the deadline is told', async (_name, codes) => {
  const started = runStartCommand(envd(...codes), start, nobody, 300)
  await expect(started).rejects.toThrow("start command isn't ready after 0.3 s: 'probe' has not succeeded")
})

test('a kill ends the wait at once, with its reason', async () => {
  const kill = new AbortController()
  const started = runStartCommand(envd(), start, kill.signal)
  kill.abort(new Error('is being killed'))
  await expect(started).rejects.toThrow('is being killed')
})

test('what fails otherwise is told as it is', async () => {
  const broken = { ...envd(), run: () => Promise.reject(new Error('no envd')) }
  await expect(runStartCommand(broken, start, nobody)).rejects.toThrow('no envd')
})
