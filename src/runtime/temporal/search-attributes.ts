import { Connection } from '@temporalio/client'

/** Temporal's numbers for the types (`IndexedValueType`). */
const TYPE_NUMBER = { Text: 1, Keyword: 2, Int: 3, Double: 4, Bool: 5, Datetime: 6, KeywordList: 7 } as const

/** Types of custom search attributes by name, e.g. `{ HoldfastPhase: 'Keyword' }`. */
export type SearchAttributes = Record<string, keyof typeof TYPE_NUMBER>

/**
 * Registers those that the server doesn't have: `--search-attribute` does nothing on a data file that is there already.
 *
 * @throws ServiceError where the server refuses one
 */
export async function ensureSearchAttributes(
  address: string,
  wanted: SearchAttributes,
  namespace = 'default',
): Promise<void> {
  if (Object.keys(wanted).length === 0) return
  const connection = await Connection.connect({ address })
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace })
    const missing = Object.entries(wanted).filter(([name]) => !(name in customAttributes))
    if (missing.length === 0) return
    const searchAttributes = Object.fromEntries(missing.map(([name, type]) => [name, TYPE_NUMBER[type]]))
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes })
  } finally {
    await connection.close()
  }
}
