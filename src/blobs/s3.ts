import type { Readable } from 'node:stream'
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  NoSuchKey,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { failure } from '../contract/failure.ts'
import type { BlobStore } from './store.ts'

/**
 * Blobs in an S3-compatible bucket: `s3://bucket/prefix`, with `?pathStyle=true` for servers that have no host per bucket.
 * Region, endpoint and credentials are the AWS SDK's own settings (AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID …).
 */
export function s3Blobs(url: URL): BlobStore {
  const client = new S3Client({ forcePathStyle: url.searchParams.get('pathStyle') === 'true' })
  const Bucket = url.hostname
  const prefix = url.pathname.replace(/^\//, '').replace(/([^/])$/, '$1/')
  const keyOf = (key: string): string => prefix + key
  const list = (query: { Prefix: string; Delimiter?: string }) =>
    paginateListObjectsV2({ client }, { Bucket, ...query })
  return {
    where: `s3://${Bucket}/${prefix}`,
    put: (key, content) =>
      available(async () => {
        let bytes = 0
        content.on('data', (chunk: Buffer) => (bytes += chunk.length))
        await new Upload({ client, params: { Bucket, Key: keyOf(key), Body: content } }).done()
        return { bytes }
      }),
    get: (key) =>
      available(async () => {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(key) }))
        return Body as Readable
      }),
    keys: (under) =>
      available(async () => {
        const found: string[] = []
        for await (const { Contents = [] } of list({ Prefix: keyOf(under), Delimiter: '/' }))
          for (const { Key = '' } of Contents) found.push(Key.slice(prefix.length))
        return found
      }),
    folders: (under) =>
      available(async () => {
        const found: string[] = []
        for await (const { CommonPrefixes = [] } of list({ Prefix: keyOf(under), Delimiter: '/' }))
          for (const { Prefix = '' } of CommonPrefixes) found.push(Prefix.slice(keyOf(under).length, -1))
        return found
      }),
    deleteAll: (under) =>
      available(async () => {
        for await (const { Contents = [] } of list({ Prefix: keyOf(under) })) {
          const Objects = Contents.map(({ Key }) => ({ Key }))
          if (Objects.length > 0) await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
        }
      }),
  }
}

async function available<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof NoSuchKey) throw failure('BlobMissing', error.message, { cause: error })
    const what = error instanceof S3ServiceException ? `${error.name}: ${error.message}` : String(error)
    throw failure('BlobStoreUnavailable', what, { cause: error })
  }
}
