import { lazyBlobStore } from '../blobs/open.ts'
import type { BlobStore } from '../blobs/store.ts'
import { encryptedBlobs } from '../payloads/encrypted-blobs.ts'
import type { KeyRing } from '../payloads/keys.ts'
import { HoldfastError } from './errors.ts'

/** The blob store of the workers. @throws `BlobStoreUnavailable`, at once where this program doesn't know where it is */
export type OpenBlobs = () => Promise<BlobStore>

/** Opens it when it is first asked for. */
export function blobsOfClient(url: string | undefined, keys: KeyRing): OpenBlobs {
  if (!url)
    return () => {
      throw new HoldfastError(
        'BlobStoreUnavailable',
        'this program does not know where blobs are kept: set HOLDFAST_BLOB_STORE as the workers have it',
      )
    }
  const open = lazyBlobStore(url)
  return async () => encryptedBlobs(await open(), keys)
}
