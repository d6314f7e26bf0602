import type { Logger } from 'pino'
import type { ServerConfig } from '../config.ts'
import { DiskImages } from './disk-images.ts'
import type { Layout } from './layout.ts'
import { closePool, hasPool, openPool, sharesBlocks } from './pool.ts'

/** Whether copies of disks share their blocks, or each is the work of a whole copy. */
export type Copies = 'shared' | 'whole'

/** Sees to what disks of sandboxes are made of, before the first of them. It takes root to mount any. */
export async function provideDisks(config: ServerConfig, layout: Layout, log: Logger): Promise<Copies> {
  const { diskMB } = config.limits
  const mounting = process.getuid?.() === 0 && config.isolation !== 'none'
  const shared = await sharing(layout, mounting && diskMB > 0, log)
  if (mounting)
    try {
      layout.images = await DiskImages.open(layout.disks, diskMB, shared)
    } catch (error) {
      log.warn({ reason: reason(error) }, 'disks of sandboxes have no limit: none can be mounted')
    }
  return shared ? 'shared' : 'whole'
}

/** To be called at the end of the server. */
export async function closeDisks(layout: Layout): Promise<void> {
  if ((await layout.sandboxIds()).length === 0) await closePool(layout.disks)
}

async function sharing(layout: Layout, pooling: boolean, log: Logger): Promise<boolean> {
  const { dir, disks } = layout
  if (hasPool(disks)) {
    // What was saved in it would be missing without it.
    await openPool(disks)
    return true
  }
  if (await sharesBlocks(dir)) return true
  if (!pooling) return false
  try {
    if (!(await layout.isUnused())) throw new Error('the data directory has disks from before')
    await openPool(disks)
    return true
  } catch (error) {
    log.info({ reason: reason(error) }, 'snapshots and forks copy whole disks')
    return false
  }
}

const reason = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOENT' && message.includes('mkfs.xfs') ? 'mkfs.xfs is missing: install xfsprogs' : message
}
