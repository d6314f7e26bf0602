/**
 * A notebook without a notebook: draws a chart, pauses, resumes, and draws again with the variables still there.
 *
 *   npx tsx examples/code-session.ts FOLDER
 *
 * Between the two drawings may be days: the kernel's memory is kept by the paused sandbox.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type Session } from 'holdfast'

const folder = process.argv[2]
if (!folder) {
  console.error('usage: npx tsx examples/code-session.ts FOLDER_FOR_THE_PICTURES')
  process.exit(2)
}

const jobs = await connect()
try {
  const session = await jobs.sessions.open('example-code-session', {
    sandbox: { template: 'code-interpreter-v1' },
  })
  await session.runCode(`
import matplotlib.pyplot as plt
days = ["Mon", "Tue", "Wed"]
sales = [3, 7, 5]`)
  await draw(session, 'first.png')

  await session.pause()
  console.log(`the session is ${(await session.status()).state}`)

  // Any use resumes the sandbox; the kernel still has `days` and `sales`.
  await session.runCode('days.append("Thu"); sales.append(9)')
  await draw(session, 'second.png')
  await session.close()
} finally {
  await jobs.close()
}

async function draw(session: Session, name: string): Promise<void> {
  const { results, error } = await session.runCode(`
plt.bar(days, sales); plt.title(f"{sum(sales)} sold"); plt.show()`)
  if (error) throw new Error(error.traceback)
  const drawn = results.find(({ artifacts }) => artifacts.length > 0)
  const picture = drawn?.artifacts[0]
  if (!picture) throw new Error('nothing was drawn')
  // Pictures don't travel through Temporal: the result names them, and readArtifact fetches one.
  const bytes = Buffer.from(await session.code.readArtifact(picture.key), 'base64')
  await mkdir(folder!, { recursive: true })
  await writeFile(join(folder!, name), bytes)
  const { title, elements } = drawn.chart as { title: string; elements: { label: string }[] }
  console.log(`${name}: "${title}", ${elements.map(({ label }) => label).join(' ')}, ${bytes.length} bytes`)
}
