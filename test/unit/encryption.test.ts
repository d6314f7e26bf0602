import { randomBytes } from 'node:crypto'
import { defaultPayloadConverter, type Payload } from '@temporalio/common'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keysOfClient } from '../../src/client/keys.ts'
import { EncryptionCodec } from '../../src/payloads/encryption.ts'
import { encryptionKeys, NO_KEYS } from '../../src/payloads/keys.ts'

const newKey = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`
const codec = (...keys: string[]): EncryptionCodec =>
  new EncryptionCodec(encryptionKeys.parse(keys.join(',')))
const [first, second] = [newKey('2026-01'), newKey('2026-07')]
const value = { canary: 'planted-canary' }
const payload = (): Payload => defaultPayloadConverter.toPayload(value)
const valueOf = (payload: Payload): unknown => defaultPayloadConverter.fromPayload(payload)
const typeOf = (type: string): unknown => expect.objectContaining({ type })

test('any payload comes back as it was, and nothing of it stands in what is written', async () => {
  const both = codec(first)
  const payloads = fc.array(
    fc.record({
      metadata: fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.uint8Array(),
      ),
      data: fc.uint8Array({ minLength: 8 }),
    }),
  )
  await fc.assert(
    fc.asyncProperty(payloads, async (plain) => {
      const encoded = await both.encode(plain)
      for (const [index, { data }] of encoded.entries())
        expect(Buffer.from(data!).includes(Buffer.from(plain[index]!.data))).toBe(false)
      const decoded = await both.decode(encoded)
      expect(decoded.map(bytesOf)).toEqual(plain.map(bytesOf))
    }),
  )
})

const bytesOf = ({ metadata, data }: Payload): unknown => [
  Object.entries(metadata ?? {}).map(([key, bytes]) => [key, [...bytes]]),
  [...(data ?? [])],
]

test('the same payload is never written the same way twice', async () => {
  const [a, b] = await codec(first).encode([payload(), payload()])
  expect(Buffer.from(a!.data!).equals(b!.data!)).toBe(false)
})

test('a payload that was changed anywhere, or cut, is refused', async () => {
  const both = codec(first)
  const [encoded] = await both.encode([payload()])
  const data = Buffer.from(encoded!.data!)
  await fc.assert(
    fc.asyncProperty(fc.nat(data.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = Buffer.from(data)
      changed[at]! ^= change
      for (const damaged of [changed, data.subarray(0, at)])
        await expect(both.decode([{ ...encoded, data: damaged }])).rejects.toEqual(
          typeOf('PayloadUnreadable'),
        )
    }),
  )
})

describe('rotation', () => {
  test('what the old key wrote is read while it is there; the first key writes', async () => {
    const old = await codec(first).encode([payload()])
    const rotated = codec(second, first)
    expect((await rotated.decode(old)).map(valueOf)).toEqual([value])
    const [written] = await rotated.encode([payload()])
    expect((await codec(second).decode([written!])).map(valueOf)).toEqual([value])
  })

  test('a missing key is named', async () => {
    const old = await codec(first).encode([payload()])
    for (const reader of [codec(second), new EncryptionCodec(NO_KEYS)])
      await expect(reader.decode(old)).rejects.toMatchObject({
        type: 'PayloadKeyMissing',
        message: expect.stringContaining('2026-01') as string,
      })
  })

  test('another key under the same id, and a payload under the name of another key, are told', async () => {
    const [encoded] = await codec(first).encode([payload()])
    await expect(codec(newKey('2026-01')).decode([encoded!])).rejects.toEqual(typeOf('PayloadUnreadable'))
    const sameKey = first.replace('2026-01', 'renamed')
    const renamed = {
      ...encoded!,
      metadata: { ...encoded!.metadata, 'encryption-key-id': Buffer.from('renamed') },
    }
    await expect(codec(first, sameKey).decode([renamed])).rejects.toEqual(typeOf('PayloadUnreadable'))
  })
})

test('without keys everything stays plain, and what is plain is read with keys', async () => {
  const none = new EncryptionCodec(NO_KEYS)
  expect(await none.encode([payload()])).toEqual([payload()])
  expect((await codec(first).decode([payload()])).map(valueOf)).toEqual([value])
})

test.each([
  ['no key', ' ', /holds no key/],
  ['no id', Buffer.alloc(32).toString('base64'), /key 1 is not of the form id:base64/],
  ['a short key', `${first},b:c2hvcnQ=`, /key 2 \(b\) has 5 bytes instead of 32/],
  ['an id twice', `${first} ${first}`, /id of an earlier one/],
])('keys with %s are refused without quoting them', (_, text, message) => {
  const refused = (): unknown => keysOfClient(text)
  expect(refused).toThrow(message)
  expect(refused).not.toThrow(first.slice(10))
})

test('a file that is not there is named', () => {
  expect(() => keysOfClient(undefined, { HOLDFAST_ENCRYPTION_KEYS_FILE: '/nowhere/keys' })).toThrow(
    /HOLDFAST_ENCRYPTION_KEYS_FILE: can't be read: .*\/nowhere\/keys/,
  )
})
