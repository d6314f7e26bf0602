import { resolve } from 'node:path'
import { pino, type Logger } from 'pino'
import { readConfig, type ServerConfig } from './config.ts'
import { apiKey, lockDataDir } from './data-dir.ts'
import { ArmedFaults } from './faults/armed.ts'
import { openAuthority } from './egress/authority.ts'
import { closeInherited } from './inherited.ts'
import { provideInterpreter } from './interpreter/environment.ts'
import { openLimiter } from './isolation/limits.ts'
import { bubblewrap } from './isolation/bubblewrap.ts'
import type { IsolationDriver } from './isolation/driver.ts'
import { namespaces } from './isolation/namespaces.ts'
import { noIsolation } from './isolation/none.ts'
import { makeEtc, provideNode } from './isolation/rootfs.ts'
import { bundleEnvd } from './program.ts'
import { closeDisks, provideDisks, type Copies } from './sandboxes/provide-disks.ts'
import { Layout } from './sandboxes/layout.ts'
import { Registry } from './sandboxes/registry.ts'
import { Templates } from './templates/templates.ts'
import { startServer } from './server.ts'

// The program: E2B's protocol on one local port.

async function main(): Promise<void> {
  process.umask(0o022)
  closeInherited()
  const config = readConfig(process.argv)
  const log = pino({ name: 'sandbox-server' }, process.stderr)
  const layout = new Layout(resolve(config.dataDir), config)
  await layout.prepare()
  await lockDataDir(layout.dir)
  const copies = await provideDisks(config, layout, log)
  try {
    await serve(config, layout, copies, log)
  } catch (error) {
    await closeDisks(layout)
    throw error
  }
}

async function serve(config: ServerConfig, layout: Layout, copies: Copies, log: Logger): Promise<void> {
  const [driver, envdScript, authority] = await Promise.all([
    isolation(config, layout, log),
    bundleEnvd(layout.program),
    openAuthority(layout.authority, layout.trust),
  ])
  const faults = config.faults ? new ArmedFaults() : undefined
  if (faults) log.warn('--faults: whoever has the API key can make things go wrong; for tests only')
  const hostLoopback = config.allowHostLoopback
  const registry = new Registry({
    layout,
    driver,
    limits: { ...config.limits, diskMB: layout.images?.sizeMB ?? 0 },
    envdScript,
    hostLoopback,
    authority,
    log,
    faults,
  })
  const templates = new Templates(layout.templates)
  await Promise.all([registry.recover(), templates.load()])
  const key = await apiKey(layout.dir, config.apiKey)
  const { server, url } = await startServer({
    registry,
    templates,
    apiKey: key,
    isolation: driver.kind,
    limits: driver.limits,
    copies,
    host: config.host,
    port: config.port,
    faults,
    log,
  })
  announce(config, {
    apiUrl: url,
    sandboxUrl: url,
    apiKey: key,
    isolation: driver.kind,
    limits: driver.limits,
    root: driver.root,
  })

  // Sandboxes go on without a server; the next one takes them over. A second signal forces. A parent that started us over
  // IPC and died closes the channel.
  let ending: Promise<never> | undefined
  const end = async (): Promise<never> => {
    server.close()
    server.closeAllConnections()
    await registry.close()
    await closeDisks(layout)
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (ending) process.exit(1)
      ending = end()
    })
  process.once('disconnect', () => {
    ending ??= end()
  })
}

async function isolation(config: ServerConfig, layout: Layout, log: Logger): Promise<IsolationDriver> {
  const interpreter = await provideInterpreter(config.templatesDir, layout.program)
  if (config.isolation === 'none') {
    process.stderr.write(
      'warning: --isolation=none: commands in sandboxes run as you, with all your files and network; for throw-away machines only\n',
    )
    return noIsolation(config.path, process.execPath, layout.trust, interpreter)
  }
  const node = await provideNode(process.execPath, process.version, layout.program)
  const limiter = openLimiter(config.limits)
  if (config.isolation === 'namespaces' || (config.isolation === 'best' && process.getuid?.() === 0))
    try {
      return await layout.trial((prepare) => namespaces(layout, node, interpreter, limiter, prepare))
    } catch (error) {
      const { message } = error as Error
      if (config.isolation === 'namespaces')
        throw new Error(`--isolation: namespaces can't be had: ${message}`, { cause: error })
      log.warn({ reason: message }, 'sandboxes have no root: bubblewrap isolates them')
    }
  const driver = bubblewrap(layout, node, interpreter, limiter)
  await makeEtc(layout.etc)
  return driver
}

function announce(
  config: ServerConfig,
  ready: Record<'apiUrl' | 'sandboxUrl' | 'apiKey' | 'isolation' | 'limits', string> & { root: boolean },
): void {
  if (config.json) return void process.stdout.write(`${JSON.stringify(ready)}\n`)
  process.stdout.write(
    [
      `sandbox server ready at ${ready.apiUrl} (isolation: ${ready.isolation}, root: ${ready.root}, limits: ${ready.limits})`,
      `  export E2B_API_URL=${ready.apiUrl} E2B_SANDBOX_URL=${ready.sandboxUrl} E2B_API_KEY=${ready.apiKey}`,
      '',
    ].join('\n'),
  )
}

main().catch((error: Error) => {
  process.stderr.write(`sandbox-server: ${error.message}\n`)
  process.exit(1)
})
