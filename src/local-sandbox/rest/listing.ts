import { badRequest } from '../errors.ts'
import type { SandboxRecord } from '../sandboxes/record.ts'
import type { ListQuery } from './schemas.ts'

type Listed = Pick<SandboxRecord, 'sandboxID' | 'templateID' | 'alias' | 'startedAt' | 'metadata'> & {
  state: 'running' | 'paused'
}

export interface Page<T> {
  items: T[]
  /** Undefined on the last page. */
  nextToken: string | undefined
  /** Running ones among all that match. */
  totalRunning: number
}

/** The page of a list that a query asks for. Throws HttpError 400 for a token of another order, or none of ours. */
export function listPage<T extends Listed>(all: T[], query: ListQuery): Page<T> {
  const order = query.order ?? 'desc'
  const wanted = parseMetadata(query.metadata)
  const matching = all
    .filter(({ state }) => query.state?.includes(state) ?? true)
    .filter(({ templateID, alias }) => [undefined, templateID, alias].includes(query.template))
    .filter(
      ({ startedAt }) =>
        query.startedAfter === undefined || Date.parse(startedAt) >= Date.parse(query.startedAfter),
    )
    .filter(({ metadata }) => wanted.every(([key, value]) => metadata[key] === value))
    .sort((a, b) => (order === 'asc' ? compare(position(a), position(b)) : compare(position(b), position(a))))
  const after = query.nextToken ? parseToken(query.nextToken, order) : undefined
  const rest = matching.filter((item) => {
    const side = after === undefined ? 1 : compare(position(item), after)
    return after === undefined || (order === 'asc' ? side > 0 : side < 0)
  })
  const limit = query.limit ?? 100
  const items = rest.slice(0, limit)
  const nextToken = rest.length > limit ? token(order, position(items.at(-1)!)) : undefined
  return { items, nextToken, totalRunning: matching.filter(({ state }) => state === 'running').length }
}

/** Pairs of a form whose keys and values were percent-encoded before the form was made. */
export function parseMetadata(text: string | undefined): [string, string][] {
  try {
    return [...new URLSearchParams(text ?? '')].map(([key, value]) => [
      decodeURIComponent(key),
      decodeURIComponent(value),
    ])
  } catch {
    throw badRequest(`metadata: '${text}' is malformed; send key=value pairs, percent-encoded, joined by &`)
  }
}

const position = ({ startedAt, sandboxID }: Listed) => `${startedAt} ${sandboxID}`
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
const token = (order: string, position: string) => Buffer.from(`${order} ${position}`).toString('base64url')

function parseToken(text: string, order: string): string {
  const decoded = Buffer.from(text, 'base64url').toString()
  const [, direction, position] = /^(asc|desc) (.+)$/.exec(decoded) ?? []
  if (!position || direction !== order)
    throw badRequest("nextToken: isn't of this list; use it with the query that gave it")
  return position
}
