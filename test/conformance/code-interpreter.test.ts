import { Sandbox } from '@e2b/code-interpreter'
import { homedir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defaultTemplatesDir } from '../../src/local-sandbox/interpreter/environment.ts'
import { missingPython, prepareEnvironment } from '../../src/local-sandbox/interpreter/prepare.ts'
import { startSandboxServer, type SandboxServer } from '../support/sandbox-server.ts'

const missing = await missingPython()
const title = missing ? `code interpreter (skipped: ${missing})` : 'code interpreter'

describe.skipIf(missing !== undefined)(title, () => {
  let server: SandboxServer
  let shared: Sandbox
  const create = (options = {}) => Sandbox.create({ ...server.connection, timeoutMs: 300_000, ...options })

  // The first time on a machine this downloads the packages.
  beforeAll(async () => {
    const templates = defaultTemplatesDir(process.getuid?.(), homedir(), undefined)
    await prepareEnvironment(templates)
    server = await startSandboxServer({ args: ['--templates-dir', templates] })
    shared = await create()
  }, 300_000)
  afterAll(() => server?.stop())

  test('output, the last value and the number of executions come back, and variables stay', async () => {
    const first = await shared.runCode('import sys\nx = 20\nprint("out")\nprint("err", file=sys.stderr)')
    expect(first.logs).toEqual({ stdout: ['out\n'], stderr: ['err\n'] })
    expect(first.error).toBeUndefined()
    const second = await shared.runCode('x + 1')
    expect(second.text).toBe('21')
    expect(second.executionCount).toBe(first.executionCount! + 1)
    expect((await shared.runCode('"quoted"')).text).toBe('quoted')
  })

  test('output is streamed while the code runs', async () => {
    const seen: number[] = []
    const code = 'import time\nfor i in range(3):\n    print(i)\n    time.sleep(0.5)'
    await shared.runCode(code, { onStdout: () => void seen.push(Date.now()) })
    expect(seen).toHaveLength(3)
    expect(seen[2]! - seen[0]!).toBeGreaterThan(700)
  })

  test('much output arrives whole, in parts that a client can take one by one', async () => {
    const sizes: number[] = []
    const { logs } = await shared.runCode('for i in range(400): print("é" * 50_000)', {
      onStdout: ({ line }) => void sizes.push(line.length),
    })
    expect(logs.stdout.join('')).toBe(`${'é'.repeat(50_000)}\n`.repeat(400))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(65_536)
  })

  test('an exception comes with its name, value and a traceback without colours', async () => {
    const { error } = await shared.runCode('def f():\n    return 1 / 0\nf()')
    expect(error).toMatchObject({ name: 'ZeroDivisionError', value: 'division by zero' })
    expect(error!.traceback).toContain('line 2')
    expect(error!.traceback).not.toContain('\u001b')
    expect((await shared.runCode('prin(')).error?.name).toBe('SyntaxError')
  })

  test('a figure is a PNG, a display call is no main result', async () => {
    const { results } = await shared.runCode(
      'import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()\n7',
    )
    expect(results.map(({ isMainResult, text }) => [isMainResult, text === '7'])).toContainEqual([true, true])
    expect(results.filter(({ isMainResult }) => isMainResult)).toHaveLength(1)
    const png = Buffer.from(results.find((result) => result.png)!.png!, 'base64')
    expect(png.subarray(1, 4).toString()).toBe('PNG')
  })

  test('a picture saved to a file is shown too', async () => {
    const { results } = await shared.runCode(
      'from PIL import Image\nImage.new("RGB", (2, 2)).save("/tmp/two.png")',
    )
    expect(results.map(({ png }) => Buffer.from(png!, 'base64').subarray(1, 4).toString())).toEqual(['PNG'])
    expect(await shared.files.exists('/tmp/two.png')).toBe(true)
  })

  test.for([
    [
      'line',
      'plt.plot([1, 2], [3, 4], label="a")',
      {
        elements: [
          {
            label: 'a',
            points: [
              [1, 3],
              [2, 4],
            ],
          },
        ],
      },
    ],
    ['scatter', 'plt.scatter([1], [2])', { elements: [{ points: [[1, 2]] }] }],
    [
      'bar',
      'plt.bar(["a", "b"], [1, 2])',
      {
        elements: [
          { label: 'a', value: 1 },
          { label: 'b', value: 2 },
        ],
      },
    ],
    ['pie', 'plt.pie([1, 3], labels=["a", "b"])', { elements: [{ label: 'a' }, { label: 'b' }] }],
    [
      'box_and_whisker',
      'plt.boxplot([[1, 2, 3], [1, 4, 9]], patch_artist=True)',
      { elements: [{ median: 2 }, { median: 4 }] },
    ],
    [
      'superchart',
      'a, b = plt.subplots(1, 2)[1]\na.plot([1, 2])\nb.bar(["x"], [1])',
      { elements: [{ type: 'line' }, { type: 'bar' }] },
    ],
  ] as const)('a %s figure comes with what it shows', async ([type, code, parts]) => {
    const { results } = await shared.runCode(
      `import matplotlib.pyplot as plt\nplt.close("all")\n${code}\nplt.show()`,
    )
    const { chart } = results.find((result) => result.png)!
    expect(chart).toMatchObject({ type, ...parts })
  })

  test('a data frame comes as columns, lists and dicts as JSON', async () => {
    const frame = await shared.runCode(
      'import pandas as pd\npd.DataFrame({"a": [1, None], "b": ["x", "y"], "t": pd.to_datetime(["2024-01-02", "2024-01-03"])})',
    )
    expect(frame.results[0]!.html).toContain('<table')
    expect(frame.results[0]!.data).toMatchObject({ a: [1, null], b: ['x', 'y'] })
    expect((frame.results[0]!.data as Record<string, string[]>)['t']![0]).toMatch(/^2024-01-02T/)
    expect((await shared.runCode('{"k": [1, "two"]}')).results[0]!.json).toEqual({ k: [1, 'two'] })
    const numbers = await shared.runCode('import numpy as np\n{1: np.arange(2), "f": np.float64(0.5)}')
    expect(numbers.results[0]!.json).toEqual({ '1': [0, 1], f: 0.5 })
    expect((await shared.runCode('list(range(1500))')).text).toMatch(/1499\]$/)
    const odd = await shared.runCode('[float("nan"), object]')
    expect(odd.error).toBeUndefined()
    expect(odd.results[0]!.json).toBeUndefined()
  })

  test('variables of an execution hold for that one, whatever is in them', async () => {
    const sandbox = await create({ envs: { WIDE: 'sandbox' } })
    const print = 'import os\nprint(os.getenv("WIDE"), os.getenv("ONCE"))'
    const value = `a"b'c\\ {x} \n$HOME`
    expect((await sandbox.runCode(print)).logs.stdout.join('')).toBe('sandbox None\n')
    const once = await sandbox.runCode(print, { envs: { WIDE: 'call', ONCE: value } })
    expect(once.logs.stdout.join('')).toBe(`call ${value}\n`)
    const failing = await sandbox.runCode('1 / 0', { envs: { WIDE: 'call' } })
    expect(failing.error?.name).toBe('ZeroDivisionError')
    expect((await sandbox.runCode(print)).logs.stdout.join('')).toBe('sandbox None\n')
  })

  test('contexts have variables and a folder of their own, are listed in order, and can be deleted', async () => {
    const sandbox = await create()
    await sandbox.files.makeDir('/home/user/work')
    const context = await sandbox.createCodeContext({ cwd: '/home/user/work' })
    expect(context).toMatchObject({ language: 'python', cwd: '/home/user/work' })
    await sandbox.runCode('only_here = 1', { context })
    expect((await sandbox.runCode('import os; os.getcwd()', { context })).text).toBe('/home/user/work')
    expect((await sandbox.runCode('only_here')).error?.name).toBe('NameError')
    const listed = await sandbox.listCodeContexts()
    expect(listed.map(({ language, cwd }) => [language, cwd])).toEqual([
      ['python', '/home/user'],
      ['javascript', '/home/user'],
      ['python', '/home/user/work'],
    ])

    await sandbox.restartCodeContext(context)
    expect((await sandbox.runCode('only_here', { context })).error?.name).toBe('NameError')
    await sandbox.removeCodeContext(context)
    expect(await sandbox.listCodeContexts()).toHaveLength(2)
    await expect(sandbox.runCode('1', { context })).rejects.toThrow(/not found/)
  })

  test("a context can be in root's home, as in E2B", async () => {
    const context = await shared.createCodeContext({ cwd: '/root' })
    expect((await shared.runCode('import os; os.getcwd()', { context })).text).toBe('/root')
  })

  test('two executions in a context run one after the other', async () => {
    const code = (name: string) =>
      `import time\nprint("${name} begins")\ntime.sleep(0.4)\nprint("${name} ends")`
    const lines: string[] = []
    const onStdout = ({ line }: { line: string }) => void lines.push(...line.trim().split('\n'))
    await Promise.all([shared.runCode(code('one'), { onStdout }), shared.runCode(code('two'), { onStdout })])
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['begins', 'ends', 'begins', 'ends'])
  })

  test('a client that leaves interrupts the kernel, which keeps its variables', async () => {
    await shared.runCode('kept = "kept"')
    await expect(shared.runCode('import time\ntime.sleep(300)', { timeoutMs: 1_500 })).rejects.toThrow()
    const begin = Date.now()
    expect((await shared.runCode('kept')).text).toBe('kept')
    expect(Date.now() - begin).toBeLessThan(10_000)
  })

  test('a restart ends the execution that is going on', async () => {
    const sandbox = await create()
    const [context] = await sandbox.listCodeContexts()
    let started = () => {}
    const first = new Promise<void>((resolve) => (started = resolve))
    const running = sandbox.runCode('print("begun")\nimport time\ntime.sleep(300)', {
      onStdout: () => started(),
    })
    await first
    await sandbox.restartCodeContext(context!)
    expect((await running).error?.name).toBe('KernelGone')
    expect((await sandbox.runCode('1 + 1')).text).toBe('2')
  })

  test('a kernel that dies is reported, and the next execution has a new one', async () => {
    const sandbox = await create()
    expect((await sandbox.runCode('import os; os._exit(1)')).error?.name).toBe('KernelGone')
    expect((await sandbox.runCode('1 + 1')).text).toBe('2')
  })

  test('variables live through a pause, in the same process', async () => {
    const sandbox = await create()
    await sandbox.runCode('state = {"n": 41}')
    const pid = (await sandbox.runCode('import os; os.getpid()')).text
    await sandbox.pause()
    await delay(1_000)
    await sandbox.connect()
    expect((await sandbox.runCode('state["n"] + 1')).text).toBe('42')
    expect((await sandbox.runCode('os.getpid()')).text).toBe(pid)
  })

  test('bash runs in a kernel of its own', async () => {
    const run = (code: string, envs?: Record<string, string>) =>
      shared.runCode(code, { language: 'bash', ...(envs ? { envs } : {}) })
    await run('X=5')
    expect((await run('echo $X; pwd')).logs.stdout.join('')).toBe('5\n/home/user\n')
    expect((await run('echo "$ONCE"', { ONCE: `it's "q" $X` })).logs.stdout.join('')).toBe(`it's "q" $X\n`)
    expect((await run('echo "<$ONCE>"')).logs.stdout.join('')).toBe('<>\n')
  })

  test('javascript and typescript keep variables, await and import, each on its own', async () => {
    await shared.files.write('/home/user/answer.ts', 'export const answer: number = 42')
    const js = (code: string, envs = {}) => shared.runCode(code, { language: 'js', envs })
    const ts = (code: string) => shared.runCode(code, { language: 'ts' })
    expect((await js('const x = await Promise.resolve("kept")\nconsole.log(x)')).logs.stdout).toEqual([
      'kept\n',
    ])
    expect((await js('x')).text).toBe('kept')
    expect((await js('process.cwd()')).text).toBe('/home/user')
    const value = `it's "q" \\ $X \n`
    expect(
      (
        await js('import { env } from "process"\nenv.ONCE === JSON.parse(env.WANTED)', {
          ONCE: value,
          WANTED: JSON.stringify(value),
        })
      ).text,
    ).toBe('true')
    expect((await js('process.env.ONCE ?? "none"')).text).toBe('none')
    expect((await ts('import { answer } from "./answer.ts"\nconst n: number = answer; n')).text).toBe('42')
    expect((await ts('x')).error).toMatchObject({ name: 'ReferenceError', value: 'x is not defined' })
    expect((await ts('const = 1')).error).toMatchObject({ name: 'SyntaxError' })
  })

  test.for([
    ['for (;;) {}', 'kept'],
    ['await new Promise((resolve) => setTimeout(resolve, 300_000))', 'new'],
  ])('a client that leaves %s leaves a javascript context that answers', async ([code, after]) => {
    const context = await shared.createCodeContext({ language: 'js' })
    await shared.runCode('globalThis.state = "kept"', { context })
    await expect(shared.runCode(code!, { context, timeoutMs: 500 })).rejects.toThrow()
    expect((await shared.runCode('globalThis.state ?? "new"', { context })).text).toBe(after)
  })

  test('a language without a kernel is refused with what there is', async () => {
    await expect(shared.runCode('1', { language: 'cobol' })).rejects.toThrow(
      /no kernel for 'cobol' .*bash, javascript, python, typescript/,
    )
    await expect(shared.runCode('1', { language: 'r' })).rejects.toThrow(/'r' is E2B's cloud's alone/)
  })

  test('the interpreter leaves nothing in the home', async () => {
    const sandbox = await create()
    await sandbox.runCode('1')
    expect((await sandbox.commands.run('ls -A')).stdout).toBe('')
  })
})

test('without the Python environment the client is told what to run', async () => {
  const server = await startSandboxServer({ args: ['--templates-dir', '/nonexistent'] })
  try {
    const sandbox = await Sandbox.create(server.connection)
    await expect(sandbox.runCode('1')).rejects.toThrow(
      /500 .*not installed.*npm run sandbox-template -- code-interpreter/,
    )
    await expect(sandbox.listCodeContexts()).rejects.toThrow(/not installed/)
  } finally {
    await server.stop()
  }
})
