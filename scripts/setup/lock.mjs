import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { say } from './report.mjs'

const POLL_MS = 100
/** Clearing away a dead owner's lock takes far less. */
const CLEARING_STALE_MS = 10_000

/**
 * Runs `use` while no other process holds the lock. The lock is a file with its owner's pid, made whole by link(2); that
 * of an owner that died is taken over. `what` says what the other one does while we wait.
 */
export async function withLock(file, what, use) {
  mkdirSync(dirname(file), { recursive: true })
  for (let waiting = false; !take(file); waiting = true) {
    if (clearIfDead(file)) continue
    if (!waiting) say(`another process is ${what}; waiting for it`)
    await sleep(POLL_MS)
  }
  try {
    return await use()
  } finally {
    rmSync(file, { force: true })
  }
}

function take(file) {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, identity(process.pid))
  try {
    linkSync(mine, file)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return false
  } finally {
    unlinkSync(mine)
  }
}

/** Only one at a time judges and removes: another one's judgement may be older than a new owner. */
function clearIfDead(file) {
  if (!isDead(file)) return false
  const clearing = `${file}.clearing`
  try {
    mkdirSync(clearing)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (ageMs(clearing) > CLEARING_STALE_MS) rmSync(clearing, { recursive: true, force: true })
    return false
  }
  try {
    if (isDead(file)) rmSync(file, { force: true })
    return true
  } finally {
    rmdirSync(clearing)
  }
}

function isDead(file) {
  let owner
  try {
    owner = readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return false
    throw error
  }
  return identity(Number.parseInt(owner, 10)) !== owner
}

/** Pid and, where /proc tells it, start time, for a pid is given again. Empty where there is no such process. */
function identity(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code !== 'EPERM') return ''
  }
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
    return fields[0] === 'Z' ? '' : `${pid} ${fields[19]}`
  } catch {
    return `${pid} -`
  }
}

function ageMs(path) {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return 0
  }
}
