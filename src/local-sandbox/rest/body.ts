import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import { badRequest } from '../errors.ts'
import { HttpError } from '../http.ts'

const maxBytes = 10 * 1024 * 1024

/** The JSON body, checked; an empty one counts as `{}`. Throws HttpError 400 naming each field and what is wrong. */
export async function readBody<T extends z.ZodType>(
  request: IncomingMessage,
  schema: T,
): Promise<z.infer<T>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new HttpError(413, `body: is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  let value: unknown
  try {
    value = text === '' ? {} : JSON.parse(text)
  } catch (error) {
    throw badRequest(`body: is not JSON (${(error as Error).message})`)
  }
  return check(schema, value)
}

/** Checks a value from outside. Throws HttpError 400. */
export function check<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw badRequest(
    result.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; '),
  )
}
