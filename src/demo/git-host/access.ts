import { createHash, timingSafeEqual } from 'node:crypto'

export type Access = 'write' | 'read' | 'none'

export interface Tokens {
  /** May fetch and push. */
  token: string
  /** May fetch only. */
  readOnlyToken?: string
}

/** What an `Authorization` header allows: Basic with any user name and a token as the password. */
export function accessOf(header: string | undefined, tokens: Tokens): { access: Access; user: string } {
  const encoded = /^basic +(\S+)$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return { access: 'none', user: '' }
  const [user = '', ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  const password = rest.join(':')
  if (same(password, tokens.token)) return { access: 'write', user }
  if (tokens.readOnlyToken !== undefined && same(password, tokens.readOnlyToken))
    return { access: 'read', user }
  return { access: 'none', user }
}

/** In constant time, whatever the lengths. */
function same(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
}
