import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Sandbox } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AgentJobInput, Job } from '../../src/index.ts'
import { eventOf, type Holdfast, startHoldfast, untilPrinted } from '../support/holdfast.ts'

let holdfast: Holdfast
let gates: Gate[]
beforeAll(async () => {
  gates = await Promise.all([openGate(), openGate()])
  holdfast = await startHoldfast({
    sandboxArgs: ['--faults', ...gates.flatMap(({ port }) => ['--allow-host-loopback', `localhost:${port}`])],
  })
  await holdfast.startWorker()
})
afterAll(async () => {
  await holdfast.stop()
  for (const gate of gates) gate.close()
})

/** A script that goes on until it is let go, and how many of it have begun. */
interface Held {
  job: Job
  copies: () => Promise<number>
  letGo: () => Promise<void>
}

test('a script of git that outlasts an outage is attached to afterwards: none runs beside another one', async () => {
  const begin = await Promise.all([
    toClone(gates[0]!),
    toRead('add'),
    toRead('apply'),
    toPush(),
    toRestore(gates[1]!),
  ])
  // Scripts are begun, and whoever follows them loses them.
  await holdfast.sandboxes.faults.arm({
    kind: 'cutStream',
    afterMs: 500,
    to: 'sandbox',
    path: 'process.Process/(Start|Connect)',
    forMs: 600_000,
  })
  const held = await Promise.all(begin.map((script) => script()))
  await Promise.all(held.map(({ job }) => eventOf(job, 'outage')))
  await holdfast.sandboxes.faults.clear()
  // It follows the script again: another copy would have begun by now.
  for (const { job } of held) await expect.poll(() => job.liveOutput()).toBeDefined()
  expect(await Promise.all(held.map((script) => script.copies()))).toEqual([1, 1, 1, 1, 1])
  await Promise.all(held.map(({ letGo }) => letGo()))
  const results = await Promise.all(held.map(({ job }) => job.result()))
  for (const { commit, remoteHead } of results) expect(remoteHead).toBe(commit)
})

test('a resumed sandbox that could not be looked at in an outage is looked at afterwards, before anything is done in it', async () => {
  const spec = await holdfast.spec({ review: { required: true } })
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  const { sandboxId } = (await job.status()).sandbox
  const sandbox = await Sandbox.connect(sandboxId!, holdfast.sandboxes.connection)
  await sandbox.files.write('/home/user/repo/NOTES.md', 'of an older state')
  await sandbox.pause()
  const path = 'process.Process/'
  await holdfast.sandboxes.faults.arm({
    kind: 'unreachable',
    how: 'reset',
    path,
    sandboxId: sandboxId!,
    forMs: 600_000,
  })
  await job.approve({ by: 'the test' })
  await eventOf(job, 'outage')
  await holdfast.sandboxes.faults.clear()
  const { commit } = await job.result()
  expect(await holdfast.repository(spec.repo.url).show(`${commit}:NOTES.md`)).toBe('made by a job')
  expect(await eventOf(job, 'sandboxLost')).toMatchObject({ failure: { type: 'SandboxDiverged' } })
})

async function toClone(gate: Gate): Promise<() => Promise<Held>> {
  const spec = await throughGate(gate, await holdfast.spec())
  gate.shut()
  return async () => ({ job: await holdfast.jobs.submit(spec), ...gate })
}

/** Git filters a file that it reads: with `add` when the work is saved, with `apply` for a patch. */
async function toRead(command: 'add' | 'apply'): Promise<() => Promise<Held>> {
  const run = `git config filter.slow.clean '
  if [ -e ~/begin ] && grep -qa ${command} /proc/$PPID/cmdline
  then echo >>~/copies; until [ -e ~/go ]; do sleep 0.1; done; fi; cat'
echo 'made filter=slow' >.gitattributes; echo one >made; echo begun
until [ -e ~/begin ]; do sleep 0.1; done`
  const patch = '--- a/made\n+++ b/made\n@@ -1 +1 @@\n-one\n+two\n'
  const job = await holdfast.jobs.submit(await holdfast.spec({ steps: [{ run }, { patch }] }))
  await untilPrinted(job, 'begun')
  const [sandbox] = await holdfast.connectSandboxes(job.id)
  return async () => {
    await sandbox!.files.write('/home/user/begin', '')
    return {
      job,
      copies: async () => (await sandbox!.files.read('/home/user/copies')).length,
      letGo: async () => void (await sandbox!.files.write('/home/user/go', '')),
    }
  }
}

async function toPush(): Promise<() => Promise<Held>> {
  const spec = await holdfast.spec({ review: { required: true } })
  const repository = holdfast.repository(spec.repo.url)
  await repository.installHook('pre-receive', 'echo >>copies; until [ -e go ]; do sleep 0.1; done')
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  return async () => {
    await job.approve({ by: 'the test' })
    return {
      job,
      copies: async () => (await readFile(join(repository.path, 'copies'), 'utf8')).length,
      letGo: () => writeFile(join(repository.path, 'go'), ''),
    }
  }
}

async function toRestore(gate: Gate): Promise<() => Promise<Held>> {
  const spec = await throughGate(gate, await holdfast.spec({ review: { required: true } }))
  const job = await holdfast.jobs.submit(spec)
  await eventOf(job, 'reviewRequested')
  return async () => {
    gate.shut()
    await Sandbox.kill((await job.status()).sandbox.sandboxId!, holdfast.sandboxes.connection)
    await job.approve({ by: 'the test' })
    return { job, ...gate }
  }
}

async function throughGate(gate: Gate, spec: AgentJobInput): Promise<AgentJobInput> {
  const url = new URL(spec.repo.url)
  gate.leadTo(Number(url.port))
  url.port = String(gate.port)
  return { ...spec, repo: { ...spec.repo, url: url.href } }
}

/** Stands before the git host, and keeps those waiting who come while it is shut. */
interface Gate extends Pick<Held, 'copies' | 'letGo'> {
  port: number
  leadTo(port: number): void
  shut(): void
  close(): void
}

async function openGate(): Promise<Gate> {
  let target = 0
  let waiting: (() => void)[] | undefined
  const server = createServer((from) => {
    const pass = (): void => {
      const to = connect(target, '127.0.0.1')
      from.pipe(to).pipe(from)
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const)
        one.on('error', () => other.destroy())
    }
    if (waiting) waiting.push(pass)
    else pass()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    leadTo: (port) => (target = port),
    shut: () => (waiting = []),
    copies: async () => waiting?.length ?? 0,
    letGo: async () => {
      const all = waiting ?? []
      waiting = undefined
      for (const pass of all) pass()
    },
    close: () => server.close(),
  }
}
