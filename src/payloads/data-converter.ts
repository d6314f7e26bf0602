import { fileURLToPath } from 'node:url'
import type { DataConverter } from '@temporalio/common'
import { type ClaimCheck, claimCheck } from './claim-check.ts'
import { EncryptionCodec } from './encryption.ts'
import type { KeyRing } from './keys.ts'

/** Makes failures encryptable; a workflow bundle needs it too. */
const ENCODED_FAILURES = fileURLToPath(new URL('failure-converter.cjs', import.meta.url))

/** How workers and clients alike write payloads, and read them: encrypted first, then large ones into the blob store. */
export const dataConverter = (keys: KeyRing, claims: ClaimCheck): DataConverter => ({
  payloadCodecs: [new EncryptionCodec(keys)],
  externalStorage: claimCheck(claims),
  ...(keys.size > 0 && { failureConverterPath: ENCODED_FAILURES }),
})
