import { fileURLToPath } from 'node:url'
import type { DataConverter } from '@temporalio/common'
import { EncryptionCodec } from './encryption.ts'
import type { KeyRing } from './keys.ts'

/** Makes failures encryptable; a workflow bundle needs it too. */
export const ENCODED_FAILURES = fileURLToPath(new URL('failure-converter.cjs', import.meta.url))

/** How workers and clients alike write payloads, and read them. */
export const dataConverter = (keys: KeyRing): DataConverter => ({
  payloadCodecs: [new EncryptionCodec(keys)],
  ...(keys.size > 0 && { failureConverterPath: ENCODED_FAILURES }),
})
