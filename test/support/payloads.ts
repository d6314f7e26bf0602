import type { Payload } from '@temporalio/common'

/** A payload as protobuf's JSON has it, its bytes in base64. */
export interface JsonPayload {
  metadata: Record<string, string>
  /** Left out where there is nothing. */
  data?: string
}

/** All payloads in a message, wherever they stand. */
export function payloadsIn(value: unknown): JsonPayload[] {
  if (typeof value !== 'object' || value === null) return []
  if ('metadata' in value && 'data' in value) return [value as JsonPayload]
  return Object.values(value).flatMap(payloadsIn)
}

export const toPayload = ({ metadata, data = '' }: JsonPayload): Payload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]),
  ),
  data: Buffer.from(data, 'base64'),
})
