import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../http.ts'

// The platform's own calls: nobody's from out here.
const platformPaths = /^\/(init|freeze|unfreeze|collapse|fsfreeze|fsthaw|upgrade)$/

/**
 * Lets a request to envd pass, or throws HttpError 401 or 404. `token` is the sandbox's. Files also open with a
 * signature; a token, where one is sent, decides alone.
 */
export function authorize(method: string, url: URL, headers: IncomingHttpHeaders, token: string): void {
  if (platformPaths.test(url.pathname)) throw new HttpError(404, `${method} ${url.pathname} does not exist`)
  if (method === 'GET' && url.pathname === '/health') return
  const sent = headers['x-access-token']
  if (typeof sent === 'string' && equal(sent, token)) return
  const files = url.pathname === '/files' && /^(GET|POST)$/.test(method)
  if (sent !== undefined || !files)
    throw new HttpError(401, 'unauthorized: X-Access-Token is missing or wrong')
  checkSignature(method, url, token)
}

/** Whether the signature is this sandbox's, expired or not. */
export function isSignedBy(method: string, url: URL, token: string): boolean {
  const query = url.searchParams
  const operation = method === 'GET' ? 'read' : 'write'
  const fields = [query.get('path') ?? '', operation, query.get('username') ?? '', token]
  const expiration = query.get('signature_expiration')
  if (expiration !== null) fields.push(expiration)
  const hash = createHash('sha256').update(fields.join(':')).digest('base64').replace(/=+$/, '')
  return equal(query.get('signature') ?? '', `v1_${hash}`)
}

function checkSignature(method: string, url: URL, token: string): void {
  if (!url.searchParams.has('signature')) throw new HttpError(401, 'missing signature query parameter')
  if (!isSignedBy(method, url, token)) throw new HttpError(401, 'invalid signature')
  const expiration = url.searchParams.get('signature_expiration')
  if (expiration !== null && Number(expiration) * 1000 < Date.now())
    throw new HttpError(401, 'signature is already expired')
}

/** Compares secrets without telling by time how much of them fits. */
export function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
