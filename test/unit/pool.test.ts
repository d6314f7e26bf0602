import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { closePool, hasPool, openPool, sharesBlocks } from '../../src/local-sandbox/sandboxes/pool.ts'

/** A folder for a pool; the reason where this machine can have none. */
async function place(): Promise<{ folder: string; reason?: string }> {
  const parent = await mkdtemp(join(tmpdir(), 'holdfast-pool-'))
  const folder = join(parent, 'disks')
  onTestFinished(async () => {
    await closePool(folder)
    await rm(parent, { recursive: true })
  })
  if (process.getuid?.() !== 0) return { folder, reason: 'only root can mount' }
  try {
    await openPool(folder)
    return { folder }
  } catch (error) {
    return { folder, reason: (error as Error).message }
  }
}

test('a pool shares blocks, outlives its mount, and grows with the room there is', async ({ skip }) => {
  const { folder, reason } = await place()
  skip(reason !== undefined, reason)
  expect(hasPool(folder)).toBe(true)
  expect(await sharesBlocks(folder)).toBe(true)
  await writeFile(join(folder, 'kept'), 'yes')
  await closePool(folder)

  await openPool(folder)
  expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('yes')
  await closePool(folder)

  const pool = `${folder}.xfs`
  await truncate(pool, 0)
  await truncate(pool, 2 ** 29)
  expect(spawnSync('mkfs.xfs', ['-q', '-f', pool]).status).toBe(0)
  await openPool(folder)
  const { blocks, bsize } = await statfs(folder)
  expect(blocks * bsize).toBeGreaterThan(0.9 * (await stat(pool)).size)
})

test('where there is room for no more than before, a pool stays as it is', async ({ skip }) => {
  const { folder, reason } = await place()
  skip(reason !== undefined, reason)
  const { size } = await stat(`${folder}.xfs`)
  await closePool(folder)
  await openPool(folder)
  expect((await stat(`${folder}.xfs`)).size).toBe(size)
})
