import { expect, test } from 'vitest'
import type { OperationName } from '../../src/contract/operations/table.ts'
import { inWords } from '../../src/workflows/lib/operate.ts'

test.each<[OperationName, object, string]>([
  ['commands.run', { cmd: 'npm test' }, 'commands.run: npm test'],
  ['commands.run', { cmd: '\n  cd app &&\n  npm test' }, 'commands.run: cd app &&'],
  ['commands.run', { cmd: '   ' }, 'commands.run'],
  ['commands.run', { cmd: 'x'.repeat(120) }, `commands.run: ${'x'.repeat(120)}`],
  ['commands.run', { cmd: 'x'.repeat(121) }, `commands.run: ${'x'.repeat(119)}…`],
  ['commands.kill', { commandId: 'c1' }, 'commands.kill: c1'],
  ['files.read', { path: 'a.txt', encoding: 'base64' }, 'files.read: a.txt'],
  ['files.rename', { oldPath: 'a', newPath: 'b' }, 'files.rename: a'],
  ['git.clone', { url: 'https://git.example/web.git', path: 'web' }, 'git.clone: web'],
  ['git.checkout', { branch: 'fix' }, 'git.checkout: fix'],
  ['network.waitForPort', { port: 3000, timeoutMs: 5 }, 'network.waitForPort: 3000'],
  ['sandbox.createSnapshot', { name: 'ready' }, 'sandbox.createSnapshot: ready'],
  ['sandbox.getInfo', {}, 'sandbox.getInfo'],
  // What a caller past all checks may send.
  ['files.read', { path: { a: 1 } }, 'files.read'],
])('%s of %j reads in the Temporal UI as %j', (name, input, words) =>
  expect(inWords(name, input)).toBe(words),
)
