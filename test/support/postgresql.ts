import { chown, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { vi } from 'vitest'
import { steadyPort } from './steady-port.ts'

export interface Postgresql {
  port: number
  /** Folder of the databases. */
  data: string
  /** Runs it in the foreground, with the data of earlier runs. */
  command: string[]
  untilReady(): Promise<unknown>
  remove(): Promise<void>
}

/**
 * A cluster on a free port whose superuser is `temporal`. PostgreSQL refuses root, so then it runs as Debian's `postgres`.
 *
 * @param path where `initdb` and the others are
 */
export async function preparePostgresql(path: string, passwordFile: string): Promise<Postgresql> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-postgresql-'))
  const [data, password] = [join(folder, 'data'), join(folder, 'password')]
  await copyFile(passwordFile, password)
  const asRoot = process.getuid?.() === 0
  const as = asRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : []
  if (asRoot) {
    const { stdout } = await execa('sh', ['-c', 'id -u postgres; id -g postgres'])
    const [uid = 0, gid = 0] = stdout.split('\n').map(Number)
    for (const file of [folder, password]) await chown(file, uid, gid)
  }
  const port = await steadyPort()
  const options = { env: { PATH: path }, extendEnv: false } as const
  const run = ([program = '', ...args]: string[], reject = true) =>
    execa(program, args, { ...options, reject })
  const access = ['--username', 'temporal', '--pwfile', password, '--auth', 'scram-sha-256']
  await run([...as, 'initdb', '--pgdata', data, ...access])
  const listen = ['-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1']
  return {
    port,
    data,
    command: [...as, 'postgres', '-D', data, ...listen],
    untilReady: () =>
      vi.waitUntil(
        async () => (await run(['pg_isready', '-h', '127.0.0.1', '-p', String(port)], false)).exitCode === 0,
        { timeout: 30_000, interval: 200 },
      ),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
