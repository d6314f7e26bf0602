import { HttpError } from './http.ts'

// The control API's words: clients test the status, people read the text.

export const notFound = (sandboxId: string) => new HttpError(404, `sandbox ${sandboxId} not found`)
export const conflict = (message: string) => new HttpError(409, message)
export const badRequest = (message: string) => new HttpError(400, message)
