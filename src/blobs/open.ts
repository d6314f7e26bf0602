import { fileURLToPath } from 'node:url'
import { folderBlobs } from './folder.ts'
import type { BlobStore } from './store.ts'

export const isBlobStoreUrl = (text: string): boolean =>
  /^(file:\/(?!\/[^/])|s3:\/\/[^/])/.test(text) && URL.canParse(text)

/** The blob store at a URL: `file:///folder` or `s3://bucket/prefix`. */
export async function openBlobStore(url: string): Promise<BlobStore> {
  if (!url.startsWith('s3:')) return folderBlobs(fileURLToPath(url))
  const { s3Blobs } = await import('./s3.ts')
  return s3Blobs(new URL(url))
}

/** The same, opened when it is first asked for. */
export function lazyBlobStore(url: string): () => Promise<BlobStore> {
  let store: Promise<BlobStore> | undefined
  return () => (store ??= openBlobStore(url))
}
