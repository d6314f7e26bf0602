import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import S3rver from 's3rver'
import { openBlobStore } from '../../src/blobs/open.ts'
import type { BlobStore } from '../../src/blobs/store.ts'

/** A store of each kind, empty, in one folder. */
export interface BlobStores {
  stores: Record<'folder' | 's3', BlobStore>
  /** Holds what both have kept: `files` that of the folder. */
  root: string
  remove: () => Promise<void>
}

export async function startBlobStores(): Promise<BlobStores> {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-blobs-'))
  const s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(root, 's3'),
    configureBuckets: [{ name: 'bucket', configs: [] }],
  })
  const { port } = await s3.run()
  // The AWS SDK reads its own settings, as it does for a worker.
  process.env.AWS_ENDPOINT_URL_S3 = `http://127.0.0.1:${port}`
  process.env.AWS_REGION = 'us-east-1'
  process.env.AWS_ACCESS_KEY_ID = process.env.AWS_SECRET_ACCESS_KEY = 'S3RVER'
  return {
    root,
    stores: {
      folder: await openBlobStore(pathToFileURL(join(root, 'files')).href),
      s3: await openBlobStore('s3://bucket/prefix?pathStyle=true'),
    },
    remove: async () => {
      await s3.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}
