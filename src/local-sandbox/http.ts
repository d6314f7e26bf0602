import type { ServerResponse } from 'node:http'

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

function describe(error: unknown): { status: number; message: string } {
  if (error instanceof HttpError) return { status: error.status, message: error.message }
  const { code, message } = error as NodeJS.ErrnoException
  const status =
    { ENOENT: 404, EISDIR: 400, ENOTDIR: 400, EACCES: 403, EPERM: 403, EROFS: 403, ENOSPC: 507, EDQUOT: 507 }[
      code ?? ''
    ] ?? 500
  return { status, message: message ?? String(error) }
}
