import type { NativeConnection } from '@temporalio/worker'
import { SEARCH_ATTRIBUTES } from '../contract/search-attributes.ts'

/** Temporal's numbers for the types (`IndexedValueType`). */
const TYPE_NUMBER = { KEYWORD: 2, DOUBLE: 4, BOOL: 5 } as const
const TYPE_NAME = { KEYWORD: 'Keyword', DOUBLE: 'Double', BOOL: 'Bool' } as const

/**
 * Registers those of our search attributes that the namespace doesn't have. Jobs run without them too: they are only
 * missing from the list.
 *
 * @returns undefined, or a sentence with the command that registers them, where the server doesn't let us
 */
export async function registerSearchAttributes(
  { operatorService }: Pick<NativeConnection, 'operatorService'>,
  namespace: string,
): Promise<string | undefined> {
  const keys = Object.values(SEARCH_ATTRIBUTES)
  let missing: typeof keys = keys
  const look = async (): Promise<void> => {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace })
    missing = keys.filter(({ name }) => !(name in customAttributes))
  }
  try {
    await look()
    if (missing.length === 0) return undefined
    const searchAttributes = Object.fromEntries(missing.map(({ name, type }) => [name, TYPE_NUMBER[type]]))
    await operatorService.addSearchAttributes({ namespace, searchAttributes })
    return undefined
  } catch (error) {
    // Another worker may have been quicker.
    await look().catch(() => undefined)
    return missing.length === 0 ? undefined : explain(missing, namespace, (error as Error).message)
  }
}

const explain = (
  missing: { name: string; type: keyof typeof TYPE_NAME }[],
  namespace: string,
  why: string,
): string =>
  `the list in the Temporal UI lacks columns for new jobs: the server did not let this worker register search attributes (${why}). ` +
  `Register them: temporal operator search-attribute create --namespace ${namespace} ` +
  missing.map(({ name, type }) => `--name ${name} --type ${TYPE_NAME[type]}`).join(' ') +
  '; on Temporal Cloud: ' +
  `tcld namespace search-attributes add --namespace ${namespace} ` +
  missing.map(({ name, type }) => `--sa "${name}=${TYPE_NAME[type]}"`).join(' ')
