import {
  attachSession,
  createSandbox,
  listSandboxes,
  type FileEvent,
  type SessionReference,
} from '../../src/workflow.ts'

/** Everything of a sandbox's life that a workflow can ask for by the handle. */
export async function sandboxLife(group: string): Promise<Record<string, unknown>> {
  const sandbox = await createSandbox({ metadata: { group }, envs: { GREETING: 'hello' } })
  try {
    const greeting = await sandbox.commands.run('echo $GREETING; exit 3')
    await sandbox.files.write('w/a.txt', 'one')
    const seen: FileEvent[] = []
    const watching = sandbox.watch('w', (events) => seen.push(...events), { maxEvents: 1, timeoutMs: 30_000 })
    const { commandId } = await sandbox.commands.start('while :; do echo more >>w/b.txt; sleep 0.1; done')
    await watching
    await sandbox.pause()
    const listed: string[] = []
    for await (const { state } of listSandboxes({ metadata: { group }, limit: 1 })) listed.push(state)
    await sandbox.connect()
    const killed = await sandbox.commands.kill(commandId, { graceMs: 100 })
    const snapshot = await sandbox.createSnapshot()
    const [fork] = await sandbox.fork()
    const copy = await fork?.files.read('w/a.txt')
    await fork?.kill()
    return {
      greeting: [greeting.exitCode, greeting.stdout],
      seen: seen.map(({ name }) => name),
      listed,
      killed,
      snapshot: snapshot.snapshotId,
      copy,
    }
  } finally {
    await sandbox.kill()
  }
}

/** Uses somebody else's session. */
export async function attached(reference: SessionReference): Promise<string> {
  const session = attachSession(reference)
  await session.commands.run('sleep 2; echo from a workflow >>log')
  return session.files.read('log')
}
