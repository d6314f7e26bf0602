import {
  attachSession,
  createSandbox,
  listSandboxes,
  performOnAccount,
  type FileEvent,
  type SessionReference,
} from 'holdfast/workflow'

/** Everything of a sandbox's life that a workflow can ask for by the handle. */
export async function sandboxLife(group: string): Promise<Record<string, unknown>> {
  const sandbox = await createSandbox({ metadata: { group }, envs: { GREETING: 'hello' } })
  try {
    const greeting = await sandbox.commands.run('echo $GREETING; exit 3')
    const [, written] = await sandbox.batch((s) =>
      Promise.all([s.files.write('w/a.txt', 'one'), s.files.read('w/a.txt')]),
    )
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
      written,
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

/** What is asked of the account: templates and snapshots. */
export async function accountLife(name: string): Promise<Record<string, unknown>> {
  const exists = async (): Promise<boolean> => (await performOnAccount('template.exists', { name })).exists
  const before = await exists()
  const built = await performOnAccount('template.build', {
    name,
    from: { template: 'base' },
    run: ['echo built >made.txt'],
  })
  const sandbox = await createSandbox({ template: name })
  try {
    const made = await sandbox.files.read('made.txt')
    const snapshotIds = [await sandbox.createSnapshot(), await sandbox.createSnapshot()].map(
      (one) => one.snapshotId,
    )
    const ofSandbox = { sandboxId: sandbox.sandboxId, limit: 1 }
    const first = await performOnAccount('sandbox.listSnapshots', ofSandbox)
    const second = await performOnAccount('sandbox.listSnapshots', {
      ...ofSandbox,
      ...(first.nextToken && { nextToken: first.nextToken }),
    })
    const listed = [first, second].map(({ items }) => items.map(({ snapshotId }) => snapshotId))
    const deleted: boolean[] = []
    for (const snapshotId of [...snapshotIds, snapshotIds[0]!])
      deleted.push((await performOnAccount('sandbox.deleteSnapshot', { snapshotId })).deleted)
    const { items: left } = await performOnAccount('sandbox.listSnapshots', ofSandbox)
    return { before, built, after: await exists(), made, snapshotIds, listed, deleted, left }
  } finally {
    await sandbox.kill()
  }
}

/** A sandbox that only who has the token reaches, and that is told another host's name. */
export async function privateHost(port: number): Promise<Record<string, unknown>> {
  // Kept for whoever is given the token.
  const network = { allowPublicTraffic: false, maskRequestHost: 'app-${PORT}.example' }
  const sandbox = await createSandbox({ network, keep: 'always' })
  await sandbox.files.write('host.py', ECHO)
  await sandbox.commands.start(`python3 host.py ${port}`)
  await sandbox.network.waitForPort(port)
  return { sandboxId: sandbox.sandboxId, ...(await sandbox.network.getHost(port, { withToken: true })) }
}

/** Answers with the name that it was called by. */
const ECHO = `
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())
http.server.HTTPServer(("", int(sys.argv[1])), Page).serve_forever()
`
