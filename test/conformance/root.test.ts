import { existsSync } from 'node:fs'
import { CommandExitError, Sandbox } from 'e2b'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

// Where the server can't give sandboxes users of their own, it says so, and there is nothing to see here.
let server: SandboxServer
let sandbox: Sandbox
let root: boolean
beforeAll(async () => {
  server = await startSandboxServer()
  root = ((await (await fetch(`${server.apiUrl}/health`)).json()) as { root: boolean }).root
  sandbox = await create()
})
afterAll(() => server.stop())
beforeEach(({ skip }) => skip(!root, 'this machine gives sandboxes no users of their own'))

const create = (template = 'base') => Sandbox.create(template, { ...server.connection, timeoutMs: 300_000 })
const asRoot = { user: 'root' as const }
const output = async (command: string, options = {}, of = sandbox) =>
  (await of.commands.run(command, options)).stdout

test('commands run as the user that is named, at home there', async () => {
  const command = 'echo $(id -un) $(id -u) $(id -G) $HOME $USER $LOGNAME $PWD'
  expect(await output(command, asRoot)).toBe('root 0 0 /root root root /root\n')
  expect(await output(command)).toBe('user 1000 1000 /home/user user user /home/user\n')
  expect(await output('pwd', { ...asRoot, cwd: '/etc' })).toBe('/etc\n')
  await expect(sandbox.commands.run('id', { user: 'nobody-knows' })).rejects.toThrow(
    /unknown user nobody-knows/,
  )
})

test('sudo makes the user root without a password, with the variables and the exit code of the command', async () => {
  expect(await output('sudo id -un; sudo -n -u user id -un; sudo -u root -E sh -c "id -u"')).toBe(
    'root\nuser\n0\n',
  )
  expect(await output('sudo FOO=bar sh -c "echo \\$FOO \\$HOME \\$SUDO_USER"')).toBe('bar /root user\n')
  expect(await output('echo text | sudo tee /etc/by-sudo; sudo -i pwd')).toBe('text\n/root\n')
  await expect(sandbox.commands.run('sudo sh -c "exit 7"')).rejects.toMatchObject({ exitCode: 7 })
  await expect(sandbox.commands.run('sudo no-such-program')).rejects.toThrow(CommandExitError)
  expect(await output('su user -c "id -un"', asRoot)).toBe('user\n')
})

// A sandbox has the programs of its host.
test.skipIf(!existsSync('/usr/bin/python3'))('python is there under that name', async () => {
  expect(await output('python -c "print(1)"')).toBe('1\n')
})

test("root's files are root's: the user can read them, and change them by sudo alone", async () => {
  const mine = await sandbox.files.write('/srv/deep/file', 'of root', asRoot)
  expect(mine.path).toBe('/srv/deep/file')
  await sandbox.files.makeDir('/srv/folder', asRoot)
  await sandbox.files.write('theirs', 'of user')
  expect(await output('stat -c "%U %G" /srv/deep /srv/deep/file /srv/folder theirs')).toBe(
    'root root\nroot root\nroot root\nuser user\n',
  )
  expect(await sandbox.files.getInfo('/srv/deep/file')).toMatchObject({ owner: 'root', group: 'root' })
  expect(await output('cat /srv/deep/file')).toBe('of root')
  await expect(sandbox.commands.run('echo x > /srv/deep/file')).rejects.toMatchObject({
    stderr: expect.stringContaining('Permission denied') as string,
  })
  await sandbox.commands.run('sudo chown user /srv/deep/file && echo changed > /srv/deep/file')
  expect(await sandbox.files.read('/srv/deep/file')).toBe('changed\n')
  // Relative to the home of who asks.
  await sandbox.files.write('relative', 'x', asRoot)
  expect((await sandbox.files.list('/root', asRoot)).map(({ name }) => name)).toContain('relative')
  await sandbox.files.rename('relative', 'renamed', asRoot)
  expect((await sandbox.files.list('/root', asRoot)).map(({ name }) => name)).toContain('renamed')
  await sandbox.files.remove('renamed', asRoot)
})

test('a terminal is the one of its user, and a watch sees what only root may', async () => {
  const chunks: Uint8Array[] = []
  const terminal = await sandbox.pty.create({
    ...asRoot,
    cols: 80,
    rows: 24,
    onData: (data) => void chunks.push(data),
  })
  await sandbox.pty.sendInput(
    terminal.pid,
    new TextEncoder().encode('stat -c "%U" $(tty); id -un | tr a-z A-Z; exit\n'),
  )
  await terminal.wait()
  expect(Buffer.concat(chunks).toString()).toMatch(/root\r\nROOT\r\n/)

  await output('mkdir -m 700 /srv/closed', asRoot)
  const seen = new Promise<string>((resolve) => {
    void sandbox.files
      .watchDir('/srv/closed', ({ name }) => resolve(name), asRoot)
      .then(() => output('touch /srv/closed/new', asRoot))
  })
  expect(await seen).toBe('new')
})

test("what root changes of the system is kept: by pauses, by snapshots and forks, by a new server; and is nobody else's", async () => {
  const source = await create()
  const program = '#!/bin/sh\necho installed\n'
  await source.files.write('/usr/local/bin/tool', program, asRoot)
  // A folder that hides the one below, a file that is gone, an owner, a setuid bit.
  const change = `chmod 755 /usr/local/bin/tool; rm -r /usr/share/common-licenses; mkdir /usr/share/common-licenses
    rm /usr/bin/wget /usr/bin/yes; touch /opt/users; chown user /opt/users; cp /usr/bin/id /usr/bin/rid; chmod 4755 /usr/bin/rid`
  await output(change, asRoot, source)
  const look = (of: Sandbox) =>
    output(
      'tool; ls -A /usr/share/common-licenses; type yes >/dev/null 2>&1 || echo gone; stat -c %U /opt/users; rid -u',
      {},
      of,
    )
  const changed = 'installed\ngone\nuser\n0\n'
  expect(await look(source)).toBe(changed)

  await source.pause()
  await source.connect()
  expect(await look(source)).toBe(changed)

  const [fork] = (await source.fork({ count: 1, timeoutMs: 60_000 })) as [Sandbox]
  expect(await look(fork)).toBe(changed)
  const { snapshotId } = await source.createSnapshot()
  await source.commands.run('sudo rm /usr/local/bin/tool')
  expect(await look(await create(snapshotId))).toBe(changed)

  await fork.pause({ keepMemory: false })
  await server.kill()
  await server.restart()
  expect(await output('sudo id -un', {}, source)).toBe('root\n')
  await fork.connect()
  expect(await look(fork)).toBe(changed)
  expect(await output('type tool rid 2>/dev/null | wc -l; type yes | wc -l')).toBe('0\n1\n')
})

const PACKAGE = `set -e
mkdir -p pkg/DEBIAN pkg/usr/bin
printf 'Package: greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody\nDepends: bash\nDescription: greets\n' > pkg/DEBIAN/control
printf '#!/bin/sh\nset -e\nadduser --system --quiet --group greeter\n' > pkg/DEBIAN/postinst
printf '#!/bin/sh\necho hello\n' > pkg/usr/bin/greeting
chmod 755 pkg/DEBIAN/postinst pkg/usr/bin/greeting
dpkg-deb --root-owner-group --build pkg greeting.deb`

test('apt-get installs a package with what it depends on and its script, for this sandbox and its forks alone', async ({
  skip,
}) => {
  skip(!existsSync('/usr/bin/apt-get'), 'this machine has no apt-get')
  const source = await create()
  await source.commands.run(PACKAGE)
  await source.commands.run('sudo apt-get install -y -o Acquire::http::Timeout=2 ./greeting.deb', {
    envs: { DEBIAN_FRONTEND: 'noninteractive' },
  })
  const [fork] = (await source.fork({ count: 1, timeoutMs: 60_000 })) as [Sandbox]
  const look = 'greeting; dpkg-query -W -f "\\${Status}\n" greeting; id -un greeter'
  expect(await output(look, {}, fork)).toBe('hello\ninstall ok installed\ngreeter\n')
  await fork.commands.run('sudo apt-get remove -y greeting')
  expect(await output(look, {}, source)).toBe('hello\ninstall ok installed\ngreeter\n')
  expect(await output('dpkg-query -W greeting 2>/dev/null || echo none')).toBe('none\n')
})

const GATEWAY = `#!/bin/sh
mkdir -p /etc/mcp-gateway && printf %s "$GATEWAY_ACCESS_TOKEN" >/etc/mcp-gateway/.token && chmod 600 /etc/mcp-gateway/.token
printf %s "$2" >/etc/mcp-gateway/config
`

test("a sandbox with mcp servers starts its template's gateway as root; where there is none, it ends with that reason", async () => {
  const mcp = { exa: { apiKey: 'key' } }
  const connection = { ...server.connection, metadata: { of: 'mcp' } }
  await expect(Sandbox.create('base', { ...connection, mcp })).rejects.toThrow(
    /Failed to start MCP gateway: .*mcp-gateway: command not found/,
  )
  const query = { metadata: connection.metadata }
  expect(await Sandbox.list({ ...server.connection, query }).nextItems()).toEqual([])

  const source = await create()
  await source.files.write('/usr/local/bin/mcp-gateway', GATEWAY, asRoot)
  await output('chmod 755 /usr/local/bin/mcp-gateway', asRoot, source)
  const { snapshotId } = await source.createSnapshot()
  const made = await Sandbox.create(snapshotId, { ...connection, mcp })
  expect(JSON.parse(await made.files.read('/etc/mcp-gateway/config'))).toEqual(mcp)
  const token = await made.getMcpToken()
  expect(token).toMatch(/^[0-9a-f-]{36}$/)
  const again = await Sandbox.connect(made.sandboxId, server.connection)
  expect(await again.getMcpToken()).toBe(token)
  await expect(made.commands.run('cat /etc/mcp-gateway/.token')).rejects.toMatchObject({ exitCode: 1 })
})
