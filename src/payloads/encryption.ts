import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { METADATA_ENCODING_KEY, type Payload, type PayloadCodec } from '@temporalio/common'
import protocol from '@temporalio/proto'
import { failure } from '../contract/failure.ts'
import { activeKey, type EncryptionKey, type KeyRing } from './keys.ts'

const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16
const ENCODING = 'binary/encrypted'
const KEY_ID = 'encryption-key-id'

const proto = protocol.temporal.api.common.v1.Payload

/**
 * Encrypts whole payloads, with their metadata, by AES-256-GCM. The result names its key in the clear, and is bound to
 * that name. What is plain stays readable, so that encryption can be switched on in the middle of a workflow.
 */
export class EncryptionCodec implements PayloadCodec {
  readonly #keys: KeyRing
  readonly #active: EncryptionKey | undefined

  constructor(keys: KeyRing) {
    this.#keys = keys
    this.#active = activeKey(keys)
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    const key = this.#active
    return key ? payloads.map((payload) => encrypt(payload, key)) : payloads
  }

  /** @throws `PayloadKeyMissing`, `PayloadUnreadable` */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => (isEncrypted(payload) ? this.#decrypt(payload) : payload))
  }

  #decrypt({ data, metadata }: Payload): Payload {
    const id = Buffer.from(metadata?.[KEY_ID] ?? []).toString()
    const key = this.#keys.get(id)
    if (!key)
      throw failure('PayloadKeyMissing', `a payload is encrypted with the key ${id}, which isn't here`)
    try {
      return proto.decode(open(Buffer.from(data ?? []), { id, key }))
    } catch (error) {
      throw failure(
        'PayloadUnreadable',
        `a payload doesn't decrypt with the key ${id}: another key had that id, or the payload was changed`,
        { cause: error },
      )
    }
  }
}

const isEncrypted = ({ metadata }: Payload): boolean =>
  Buffer.from(metadata?.[METADATA_ENCODING_KEY] ?? []).toString() === ENCODING

function encrypt(payload: Payload, key: EncryptionKey): Payload {
  return {
    metadata: { [METADATA_ENCODING_KEY]: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(key.id) },
    data: seal(proto.encode(payload).finish(), key),
  }
}

/** IV, ciphertext and tag, in this order. */
function seal(plain: Uint8Array, { id, key }: EncryptionKey): Uint8Array {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(Buffer.from(id))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function open(sealed: Buffer, { id, key }: EncryptionKey): Buffer {
  const tag = sealed.subarray(-TAG_BYTES)
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(id))
    .setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()])
}
