import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  ExternalStorage,
  type Payload,
  type StorageDriver,
  StorageDriverClaim,
  type StorageDriverTargetInfo,
} from '@temporalio/common'
import protocol from '@temporalio/proto'
import { type Deployment, payloadsFolder } from '../blobs/places.ts'
import type { BlobStore } from '../blobs/store.ts'
import { failure } from '../contract/failure.ts'

/** Temporal warns of payloads from 256 KiB on, and refuses them from 2 MiB on. */
export const CLAIM_CHECK_BYTES = 128 * 1024

export interface ClaimCheck {
  deployment: Deployment
  /** Opened when it is needed; undefined where this program doesn't know where it is, and so can't read what is in it. */
  blobs: (() => Promise<BlobStore>) | undefined
  /** Payloads of so many bytes are kept in the blob store, with a reference in the history. */
  minBytes: number
}

const DRIVER = 'holdfast-blobs'
/** The keys that `store` makes: a reference comes from a history, and must lead to nothing else. */
const KEY = /^workflows(?:\/[\w%!~*'()-]+){3}\/payloads\/([0-9a-f]{64})$/

const proto = protocol.temporal.api.common.v1.Payload

/** Keeps large payloads in the blob store, in the folder of their workflow: the reaper deletes them with it. */
export function claimCheck({ deployment, blobs, minBytes }: ClaimCheck): ExternalStorage {
  const driver: StorageDriver = {
    name: DRIVER,
    type: DRIVER,
    store: ({ target }, payloads) =>
      Promise.all(payloads.map((payload) => store(payload, payloadsFolder(deployment, target!.id!), blobs!))),
    retrieve: (_, claims) => Promise.all(claims.map(({ claimData }) => retrieve(claimData.key ?? '', blobs))),
  }
  return new ExternalStorage({
    drivers: [driver],
    payloadSizeThreshold: minBytes,
    driverSelector: ({ target }) => (blobs && hasOwner(target) ? driver : null),
  })
}

const hasOwner = (target: StorageDriverTargetInfo | undefined): boolean =>
  target?.kind === 'workflow' && target.id !== undefined

async function store(
  payload: Payload,
  folder: string,
  blobs: () => Promise<BlobStore>,
): Promise<StorageDriverClaim> {
  const bytes = proto.encode(payload).finish()
  const key = folder + hashOf(bytes)
  await (await blobs()).put(key, Readable.from([Buffer.from(bytes)]))
  return new StorageDriverClaim({ key })
}

async function retrieve(key: string, blobs: ClaimCheck['blobs']): Promise<Payload> {
  const hash = KEY.exec(key)?.[1]
  if (!hash)
    throw failure('PayloadUnreadable', `a payload refers to ${JSON.stringify(key)}, which is none of ours`)
  if (!blobs)
    throw failure(
      'BlobStoreUnavailable',
      'a payload is in the blob store of the workers, and this program was not told where that is',
    )
  const bytes = await buffer(await (await blobs()).get(key))
  if (hashOf(bytes) !== hash)
    throw failure('PayloadUnreadable', `the blob ${key} has another content than was written`)
  return proto.decode(bytes)
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What a payload stands for: itself, or what its reference leads to. For those who have it not from Temporal's SDK. */
export async function redeemed(payload: Payload, blobs: ClaimCheck['blobs']): Promise<Payload> {
  const type = Buffer.from(payload.metadata?.messageType ?? []).toString()
  if (type !== 'temporal.api.sdk.v1.ExternalStorageReference') return payload
  const reference = JSON.parse(Buffer.from(payload.data ?? []).toString()) as { claimData?: { key?: string } }
  return retrieve(reference.claimData?.key ?? '', blobs)
}
