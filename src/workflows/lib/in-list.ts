import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow'
import { asPairs, SEARCH_ATTRIBUTES, type SessionColumns } from '../../contract/search-attributes.ts'

/** Whether the start carried columns: a server that doesn't have our search attributes would fail the workflow's tasks. */
export const inList = (): boolean =>
  workflowInfo().typedSearchAttributes.get(SEARCH_ATTRIBUTES.sandboxState) !== undefined

/** An upsert is a billed action: one for each change of the sandbox, and none for what is shown already, also by an earlier run. */
export function showInList(now: SessionColumns): void {
  if (!inList()) return
  const shown = workflowInfo().typedSearchAttributes
  const changed = asPairs(now).filter(({ key, value }) => shown.get(key) !== value)
  if (changed.length > 0) upsertSearchAttributes(changed)
}
