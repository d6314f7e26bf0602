import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { binCacheFolder, cliVersion } from '../../src/runtime/temporal/cli-probes.ts'
import { type FindProbes, findTemporal } from '../../src/runtime/temporal/find-temporal.ts'
import { goInstallCli } from '../../src/runtime/temporal/go-install.ts'
import { freePort } from '../../src/runtime/temporal/ports.ts'
import { downloadCliBySdk } from '../../src/runtime/temporal/sdk-download.ts'
import { type CliProbes, locateCli } from '../../src/runtime/temporal/locate-cli.ts'

let folder: string
let env: NodeJS.ProcessEnv

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-find-'))
  env = { HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), XDG_CONFIG_HOME: join(folder, 'config') }
})

afterEach(() => rm(folder, { recursive: true, force: true }))

const built = () => join(folder, 'cache', 'holdfast', 'bin', 'temporal-1.5.1')
const downloaded = () => join(folder, 'cache', 'holdfast', 'bin', 'temporal-downloaded')

/** A machine that has these programs; every attempt to get one is noted. */
function machine(has: { onPath?: string; files?: string[]; download?: boolean; go?: boolean } = {}) {
  const attempts: string[] = []
  const files = new Set(has.files)
  const get = (what: string, works: boolean | undefined, why: string) =>
    async function attempt({ destination }: { destination: string }) {
      attempts.push(what)
      if (!works) throw new Error(why)
      files.add(destination)
    }
  const probes: CliProbes = {
    version: async (path) => {
      if (path.includes('broken')) throw new Error('it is broken')
      return '1.5.1'
    },
    onPath: () => has.onPath,
    isExecutable: (path) => files.has(path),
    download: get('download', has.download, 'no route to temporal.download'),
    goInstall: get('go install', has.go, 'Go is not on PATH'),
  }
  return { probes, attempts }
}

describe('locating the Temporal CLI', () => {
  test('TEMPORAL_CLI_PATH goes before everything', async () => {
    const { probes } = machine({ onPath: '/bin/temporal', files: [built()] })
    const found = await locateCli({ env: { ...env, TEMPORAL_CLI_PATH: '/opt/temporal' }, probes })
    expect(found).toEqual({ path: '/opt/temporal', how: expect.stringContaining('TEMPORAL_CLI_PATH') })
  })

  test('a TEMPORAL_CLI_PATH that does not run is an error, not passed over', async () => {
    const { probes } = machine({ onPath: '/bin/temporal' })
    const found = locateCli({ env: { ...env, TEMPORAL_CLI_PATH: '/opt/broken' }, probes })
    await expect(found).rejects.toThrow(
      /^TEMPORAL_CLI_PATH: \/opt\/broken does not run \(it is broken\): correct it/,
    )
  })

  test('then comes the one on PATH', async () => {
    const { probes, attempts } = machine({ onPath: '/bin/temporal', files: [built()] })
    expect((await locateCli({ env, probes })).path).toBe('/bin/temporal')
    expect(attempts).toEqual([])
  })

  test('then a cached one, also where the one on PATH is broken', async () => {
    const { probes, attempts } = machine({ onPath: '/bin/broken', files: [built()], download: true })
    expect((await locateCli({ env, probes })).path).toBe(built())
    expect(attempts).toEqual([])
  })

  test("then the SDK's download", async () => {
    const { probes, attempts } = machine({ download: true, go: true })
    expect((await locateCli({ env, probes })).path).toBe(downloaded())
    expect(attempts).toEqual(['download'])
  })

  test('then go install', async () => {
    const { probes, attempts } = machine({ go: true })
    expect((await locateCli({ env, probes })).path).toBe(built())
    expect(attempts).toEqual(['download', 'go install'])
  })

  test('with none of them the error lists each attempt, its reason and what to do', async () => {
    const { probes } = machine({ onPath: '/bin/broken' })
    const error = (await locateCli({ env, probes }).catch((e: unknown) => e)) as Error
    expect(error.message.split('\n')).toEqual([
      'no Temporal server was found and none could be started. Tried:',
      '  - TEMPORAL_ADDRESS and Temporal profile: not set',
      '  - TEMPORAL_CLI_PATH: not set',
      '  - temporal on PATH (/bin/broken): it is broken',
      `  - cached Temporal CLI: none in ${dirname(built())}`,
      "  - the SDK's download: no route to temporal.download",
      '  - go install: Go is not on PATH',
      expect.stringMatching(/^What to do: .*TEMPORAL_ADDRESS=.*PATH.*Go/),
    ])
  })

  test('what a killed process left in the cache is cleared away', async () => {
    const { probes } = machine({ go: true })
    await mkdir(join(dirname(built()), '.getting-left'), { recursive: true })
    await locateCli({ env, probes })
    expect(await readdir(dirname(built()))).toEqual([])
  })

  test('two at once get it once; the second waits, says so, and finds it cached', async () => {
    const { probes, attempts } = machine({ go: true })
    let begun!: () => void
    const building = new Promise<void>((resolve) => (begun = resolve))
    let finish!: () => void
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const slow: CliProbes['goInstall'] = async (options) => {
      begun()
      await finished
      await probes.goInstall(options)
    }
    const first = locateCli({ env, probes: { ...probes, goInstall: slow } })
    await building
    // The first one is let go on only when the second has said that it waits.
    const waited: string[] = []
    const onProgress = (line: string) => {
      waited.push(line)
      finish()
    }
    const second = locateCli({ env, probes, onProgress })
    expect((await first).how).toContain('built by go install')
    expect((await second).how).toContain('cached')
    expect(waited).toEqual(['another process is getting the Temporal CLI; waiting for it'])
    expect(attempts).toEqual(['download', 'go install'])
  })

  test.each([
    ['XDG_CACHE_HOME', { XDG_CACHE_HOME: '/x', HOME: '/h' }, 'darwin', '/x/holdfast/bin'],
    ['Linux', { HOME: '/h' }, 'linux', '/h/.cache/holdfast/bin'],
    ['macOS', { HOME: '/h' }, 'darwin', '/h/Library/Caches/holdfast/bin'],
  ] as const)('the cache folder by %s', (_, env, platform, expected) => {
    expect(binCacheFolder(env, platform)).toBe(expected)
  })

  test('another program called temporal is told from the Temporal CLI', async () => {
    const impostor = join(folder, 'temporal')
    await writeFile(impostor, '#!/bin/sh\necho "temporal fugue 2"\n')
    await chmod(impostor, 0o755)
    await expect(cliVersion(impostor, {})).rejects.toThrow('is not the Temporal CLI')
  })
})

describe('building the Temporal CLI', () => {
  async function withGo(): Promise<NodeJS.ProcessEnv> {
    const bin = join(folder, 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'go'), '')
    await chmod(join(bin, 'go'), 0o755)
    return { ...env, PATH: bin }
  }

  test('it is built in a folder of its own and appears by rename', async () => {
    const calls: { command: string; args: string[] }[] = []
    await goInstallCli({
      destination: built(),
      env: await withGo(),
      onProgress: () => {},
      run: async (command, args, { GOBIN }) => {
        calls.push({ command, args })
        expect(dirname(GOBIN!)).toBe(dirname(built()))
        await writeFile(join(GOBIN!, 'temporal'), 'built')
      },
    })
    expect(calls).toEqual([
      {
        command: join(folder, 'bin', 'go'),
        args: [
          'install',
          '-p',
          '2',
          '-trimpath',
          '-ldflags=-s -w',
          'github.com/temporalio/cli/cmd/temporal@v1.5.1',
        ],
      },
    ])
    expect(await readdir(dirname(built()))).toEqual(['temporal-1.5.1'])
  })

  test('a build that fails leaves nothing behind', async () => {
    const failing = goInstallCli({
      destination: built(),
      env: await withGo(),
      onProgress: () => {},
      run: async (_command, _args, { GOBIN }) => {
        await writeFile(join(GOBIN!, 'temporal'), 'half')
        throw new Error('no space left on device')
      },
    })
    await expect(failing).rejects.toThrow('no space left on device')
    expect(await readdir(dirname(built()))).toEqual([])
  })

  test("a build that Go refuses fails with Go's own last line", async () => {
    const goEnv = await withGo()
    await writeFile(
      join(folder, 'bin', 'go'),
      '#!/bin/sh\necho "go: downloading" >&2; echo "go: needs go 1.23" >&2; exit 1\n',
    )
    const building = goInstallCli({ destination: built(), env: goEnv, onProgress: () => {} })
    await expect(building).rejects.toThrow(/^go: needs go 1.23$/)
  })

  test('without Go it says so', async () => {
    const building = goInstallCli({ destination: built(), env: { PATH: folder }, onProgress: () => {} })
    await expect(building).rejects.toThrow('Go is not on PATH')
  })
})

test("without a network the SDK's download fails soon, with its reason, and leaves nothing", async () => {
  const HTTPS_PROXY = `http://127.0.0.1:${await freePort()}`
  const downloading = downloadCliBySdk({
    destination: downloaded(),
    env: { ...env, PATH: process.env.PATH, HTTPS_PROXY },
    onProgress: () => {},
  })
  await expect(downloading).rejects.toThrow(/^nothing came from temporal.download \(.*refused.*\)$/i)
  expect(await readdir(dirname(downloaded()))).toEqual([])
})

describe('finding a Temporal server', () => {
  const untouched: Partial<FindProbes> = {
    untilReachable: async () => {},
    embedded: async () => {
      throw new Error('no embedded server was to be started')
    },
  }
  const find = (more: NodeJS.ProcessEnv, probes: Partial<FindProbes> = untouched) =>
    findTemporal({ env: { ...env, ...more }, stateFolder: folder, probes })

  test('TEMPORAL_ADDRESS is taken, with namespace and API key', async () => {
    const found = await find({
      TEMPORAL_ADDRESS: 'eu.tmprl.cloud:7233',
      TEMPORAL_NAMESPACE: 'jobs',
      TEMPORAL_API_KEY: 'test-key',
    })
    expect(found).toMatchObject({
      kind: 'configured',
      address: 'eu.tmprl.cloud:7233',
      namespace: 'jobs',
      uiUrl: 'https://cloud.temporal.io',
      how: 'the Temporal server at eu.tmprl.cloud:7233, which TEMPORAL_ADDRESS names',
      connection: { address: 'eu.tmprl.cloud:7233', apiKey: 'test-key', tls: true },
    })
  })

  test('a profile of the envconfig file is taken', async () => {
    const file = join(folder, 'temporal.toml')
    await writeFile(file, '[profile.staging]\naddress = "staging:7233"\nnamespace = "jobs"\n')
    const found = await find({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'staging' })
    expect(found).toMatchObject({ address: 'staging:7233', namespace: 'jobs', uiUrl: undefined })
    expect(found.how).toContain('the Temporal profile "staging"')
  })

  test('a profile that cannot be read is an error', async () => {
    const file = join(folder, 'temporal.toml')
    await writeFile(file, '[profile.staging\n')
    await expect(find({ TEMPORAL_CONFIG_FILE: file })).rejects.toThrow(
      /profile can't be read [^]*TEMPORAL_CONFIG_FILE/,
    )
  })

  test('a configured server that does not answer is an error, and no other server is taken', async () => {
    const found = find(
      { TEMPORAL_ADDRESS: 'nowhere:1' },
      {
        ...untouched,
        untilReachable: async () => {
          throw new Error('no Temporal server answers at nowhere:1: no route')
        },
      },
    )
    await expect(found).rejects.toThrow(
      'TEMPORAL_ADDRESS: no Temporal server answers at nowhere:1: no route. Start that server,',
    )
  })

  test.each([
    ['started', /started with the Temporal CLI on PATH/],
    ['adopted', /left running by a process that was killed/],
    ['shared', /which another process runs/],
  ] as const)(
    'with nothing configured an embedded one is used (%s), and it says so',
    async (origin, sentence) => {
      const { probes } = machine({ onPath: '/bin/temporal' })
      const found = await find(
        {},
        {
          ...probes,
          embedded: async ({ cli }) => {
            expect(await cli()).toBe('/bin/temporal')
            const stop = () => Promise.resolve()
            const ended = new Promise(() => undefined)
            return { address: '127.0.0.1:7233', uiUrl: 'http://127.0.0.1:8233', pid: 1, origin, ended, stop }
          },
        },
      )
      expect(found).toMatchObject({ kind: 'embedded', namespace: 'default', uiUrl: 'http://127.0.0.1:8233' })
      expect(found.how).toMatch(sentence)
      expect(found.how).not.toContain('being taken')
    },
  )
})
