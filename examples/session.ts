/**
 * A sandbox that lives long and is shared: opened by name, used as by E2B's own SDK, paused when idle.
 *
 *   npx tsx examples/session.ts
 *
 * Every call outlives the death of workers and of Temporal's connection, and is done once. Whoever knows the session's id, or holds its
 * reference, uses the same sandbox: another process, or a workflow (by `attachSession`).
 */
import { connect, HoldfastError } from 'holdfast'

const jobs = await connect()
try {
  // Found if it is open already, with its files as they are.
  const session = await jobs.sessions.open('example-session', { idleTimeout: '5m' })

  await session.files.write('app/sum.sh', 'echo $(($1 + $2))\n')
  const { exitCode, stdout } = await session.run('sh sum.sh 40 2', { cwd: 'app' })
  console.log(`sum.sh says ${stdout.trim()}, exit code ${exitCode}`)

  // A failed command is data; an error is thrown for what could not be done, with a type of a closed list.
  const { exitCode: failed } = await session.run('exit 3')
  console.log(`a failed command has exit code ${failed}`)
  try {
    await session.files.read('nowhere.txt')
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    console.log(`${error.type}; ${error.remedy}`)
  }

  // What runs in the background stops with a pause, and goes on at the next use.
  const { commandId } = await session.commands.start('sleep 1; echo done >app/done.txt')
  await session.pause()
  console.log(`the session is ${(await session.status()).state}`)
  await session.commands.wait(commandId)
  console.log(`after the resume: ${(await session.files.read('app/done.txt')).trim()}`)

  const fork = await session.fork('example-session-fork')
  await fork.files.remove('app')
  const user = jobs.sessions.attach(session.reference)
  const { entries } = await user.files.list('app')
  console.log(`the fork has its own files; here are ${entries.map(({ name }) => name).join(' and ')}`)
  await fork.close()
  await session.close()
} finally {
  await jobs.close()
}
