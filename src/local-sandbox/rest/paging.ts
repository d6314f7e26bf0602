import { badRequest } from '../errors.ts'

/** One page of `items`, and the token of the next one. Throws HttpError 400 for a token that isn't of this list. */
export function pageOf<T>(
  items: T[],
  key: (item: T) => string,
  { limit = 100, nextToken }: { limit?: number | undefined; nextToken?: string | undefined },
): { items: T[]; nextToken: string | undefined } {
  const last = nextToken ? Buffer.from(nextToken, 'base64url').toString() : undefined
  const start = last === undefined ? 0 : items.findIndex((item) => key(item) === last) + 1
  if (last !== undefined && start === 0)
    throw badRequest("nextToken: isn't of this list, or its place is gone; start again without it")
  const page = items.slice(start, start + limit)
  const more = start + limit < items.length
  return { items: page, nextToken: more ? Buffer.from(key(page.at(-1)!)).toString('base64url') : undefined }
}
