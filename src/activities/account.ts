import { sandboxDetails, snapshotOf } from './lib/details.ts'
import type { Family } from './lib/operation.ts'

/** What is asked of the account rather than of one sandbox. */
export const accountOperations = {
  /** `Sandbox.list`, a page of it. Reads only. */
  'sandbox.list': async (use, { state, metadata, ...page }) => {
    const { items, nextToken } = await use.beating(() => use.deps.e2b.listPage({ state, metadata }, page))
    return { items: items.map(sandboxDetails), ...(nextToken && { nextToken }) }
  },

  /** `Sandbox.listSnapshots`, a page of it. Reads only. */
  'sandbox.listSnapshots': async (use, { sandboxId, ...page }) => {
    const { items, nextToken } = await use.beating(() => use.deps.e2b.listSnapshots(sandboxId, page))
    return { items: items.map(snapshotOf), ...(nextToken && { nextToken }) }
  },

  /** `Sandbox.deleteSnapshot`. A second run finds it gone, and says `deleted: false`. */
  'sandbox.deleteSnapshot': async (use, { snapshotId }) => ({
    deleted: await use.beating(() => use.deps.e2b.deleteSnapshot(snapshotId)),
  }),

  /** `Template.exists`. Reads only. */
  'template.exists': async (use, { name }) => ({
    exists: await use.beating(() => use.deps.e2b.templateExists(name)),
  }),

  /** `Template.build`. A second run builds again, under the same name; the newest build counts. */
  'template.build': async (use, template) => {
    const { templateId, buildId } = await use.beating(() => use.deps.e2b.buildTemplate(template))
    return { templateId, buildId }
  },
} satisfies Pick<Family<'sandbox'>, 'sandbox.list' | 'sandbox.listSnapshots' | 'sandbox.deleteSnapshot'> &
  Family<'template'>
