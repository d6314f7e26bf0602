import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BuildError, Sandbox, Template, waitForFile, type LogEntry, type TemplateClass } from 'e2b'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

let server: SandboxServer
let context: string
beforeAll(async () => {
  server = await startSandboxServer()
  context = await mkdtemp(join(tmpdir(), 'holdfast-template-'))
  await mkdir(join(context, 'app/lib'), { recursive: true })
  for (const [name, content] of [
    ['one.txt', '1'],
    ['two.txt', '2'],
    ['app/main.sh', 'echo main'],
    ['app/lib/l.sh', 'echo lib'],
  ] as const)
    await writeFile(join(context, name), content)
})
afterAll(async () => {
  await server.stop()
  await rm(context, { recursive: true, force: true })
})

const create = (template: string) => Sandbox.create(template, { ...server.connection, timeoutMs: 120_000 })
async function build(template: TemplateClass, name: string, options = {}) {
  const logs: LogEntry[] = []
  const onBuildLogs = (entry: LogEntry) => void logs.push(entry)
  const built = Template.build(template, name, { ...server.connection, ...options, onBuildLogs })
  const result = await built.then(
    (info) => ({ info, error: undefined }),
    (error: Error) => ({ info: undefined, error }),
  )
  return { ...result, log: logs.map(({ message }) => message).join('\n') }
}
const base = () => Template({ fileContextPath: context }).fromBaseImage()

test('a built template has what its steps did, its variables and its folder', async () => {
  const template = base()
    .setEnvs({ GREETING: 'hello world', OTHER: 'x' })
    .setWorkdir('/home/user/work')
    .runCmd(['echo "$GREETING from $PWD" > made', 'echo to-stdout', 'echo to-stderr >&2'])
    .copy('one.txt', 'copied/')
    .copy('*.txt', 'globbed')
    .copy('app', '/home/user/app', { mode: 0o700 })
    .copy('one.txt', 'renamed.txt')
  const { info, error, log } = await build(template, 'built')
  expect(error, log).toBeUndefined()
  expect(log).toContain('to-stdout')
  expect(log).toContain('to-stderr')
  expect(log).toMatch(/FROM e2bdev\/base: .*the one base/)
  expect(info).toMatchObject({ name: 'built', tags: ['default'] })

  const sandbox = await create('built')
  const { stdout } = await sandbox.commands.run(
    'pwd; cat made; cat copied/one.txt globbed/two.txt renamed.txt; echo; bash ~/app/lib/l.sh; stat -c %a ~/app/main.sh; echo $OTHER',
  )
  expect(stdout).toBe('/home/user/work\nhello world from /home/user/work\n121\nlib\n700\nx\n')
  expect((await sandbox.getInfo()).name).toBe('built')
})

test('a template can start from another, and the files are uploaded once', async () => {
  const first = await build(base().copy('one.txt', 'first.txt'), 'layer')
  expect(first.error, first.log).toBeUndefined()
  const again = await build(base().copy('one.txt', 'first.txt'), 'layer')
  expect(again.log).toContain('already cached')
  const on = Template({ fileContextPath: context }).fromTemplate('layer').runCmd('echo 2 > second.txt')
  expect((await build(on, 'layer-two')).error).toBeUndefined()
  const { stdout } = await (await create('layer-two')).commands.run('cat first.txt second.txt')
  expect(stdout).toBe('12\n')
})

test('the start command runs in each sandbox, which is ready when create returns', async () => {
  const template = base().setStartCmd(
    'sleep 0.3; touch /tmp/ready; exec sleep 1000',
    waitForFile('/tmp/ready'),
  )
  expect((await build(template, 'starts')).error).toBeUndefined()
  const sandbox = await create('starts')
  expect(await sandbox.files.exists('/tmp/ready')).toBe(true)
  expect((await sandbox.commands.list()).map(({ args }) => args.join(' ')).join()).toContain('sleep 1000')
})

test('a step that fails is the error of the build, and leaves no template and no sandbox', async () => {
  const { error, log } = await build(base().runCmd('echo before').runCmd('echo why; exit 3'), 'fails')
  expect(error).toBeInstanceOf(BuildError)
  expect(error!.message).toContain('RUN failed with exit code 3')
  expect(log).toContain('why')
  expect(await Template.exists('fails', server.connection)).toBe(false)
  await expect(create('fails')).rejects.toThrow('404')
})

test('a build sandbox is not listed', async () => {
  const building = build(
    base().runCmd('while ! [ -e /tmp/never ] && [ $((i++)) -lt 40 ]; do sleep 0.02; done'),
    'hidden',
  )
  await expect.poll(() => server.log()).toContain('sandbox created')
  const listed = await Sandbox.list({ ...server.connection, query: { metadata: {} } }).nextItems()
  expect(
    listed.filter(({ name, metadata }) => name === 'base' && Object.keys(metadata).length === 0),
  ).toEqual([])
  expect((await building).error).toBeUndefined()
})

test('tags name builds, can be moved and taken away', async () => {
  const say = (text: string) => base().runCmd(`echo ${text} > said`)
  await build(say('1'), 'tagged:v1')
  await build(say('2'), 'tagged', { tags: ['v2', 'latest'] })
  const said = async (name: string) => (await create(name)).files.read('/home/user/said')
  expect(await said('tagged:v1')).toBe('1\n')
  expect(await said('tagged:latest')).toBe('2\n')
  await Template.assignTags('tagged:v1', ['latest', 'stable'], server.connection)
  expect(await said('tagged:latest')).toBe('1\n')
  const { templateId } = await (await create('tagged:v1')).getInfo()
  const tags = await Template.getTags(templateId, server.connection)
  expect(tags.map(({ tag }) => tag).sort()).toEqual(['latest', 'stable', 'v1', 'v2'])
  await Template.removeTags('tagged', ['v2'], server.connection)
  await expect(create('tagged:v2')).rejects.toThrow('404')
})
