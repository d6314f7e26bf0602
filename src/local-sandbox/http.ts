import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'

// Shared by the server outside and envd inside.

/** An error that is answered as `{code, message}`. */
export class HttpError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

/** Answers an error; where the answer has begun already the connection is cut, so that it can't pass for complete. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  const { status, message } = describe(error)
  sendJson(response, status, { code: status, message })
}

/**
 * Sends on, as it comes, what `outgoing` was answered; `cut` is called where that breaks off. An answer that can't be
 * written as it was read, with a status below 100 for one, or that comes when a response has been given already, is an
 * error of `outgoing`.
 */
export function passOn(
  outgoing: ClientRequest,
  answer: IncomingMessage,
  response: ServerResponse,
  headers: string[],
  cut: () => void,
): void {
  try {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers)
  } catch (error) {
    // Node keeps what it has refused, for the next head.
    response.statusMessage = ''
    return void outgoing.destroy(error as Error)
  }
  // Streams of events have a head long before their first byte.
  response.flushHeaders()
  answer.pipe(response)
  answer.on('error', cut)
}

function describe(error: unknown): { status: number; message: string } {
  if (error instanceof HttpError) return { status: error.status, message: error.message }
  const { code, message } = error as NodeJS.ErrnoException
  const status =
    { ENOENT: 404, EISDIR: 400, ENOTDIR: 400, EACCES: 403, EPERM: 403, EROFS: 403, ENOSPC: 507, EDQUOT: 507 }[
      code ?? ''
    ] ?? 500
  return { status, message: message ?? String(error) }
}
