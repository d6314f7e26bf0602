import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import type { JobEventBody } from '../../contract/job.ts'
import { asPairs, type Columns, columnsAtStart } from '../../contract/search-attributes.ts'
import { countUpsert } from './actions.ts'
import { changedColumns, columnsOf, isNews } from './columns.ts'
import { inList } from './in-list.ts'
import type { JobView } from './job-view.ts'
import { pageOf } from './page.ts'

/** What the Temporal UI shows of a job: its page, which costs nothing, and its columns in the list. */
export class Display {
  readonly #view: () => JobView
  #shown: Columns | undefined
  #shownAt = Date.now()
  readonly #inList = inList()

  constructor(view: () => JobView) {
    this.#view = view
  }

  show(event: JobEventBody): void {
    const view = this.#view()
    setCurrentDetails(pageOf(view, Date.now()))
    const waitIsOver = !view.waitingFor && this.#shown !== undefined && this.#shown.waitingFor !== 'nothing'
    if (isNews(event, { waitIsOver, ms: Date.now() - this.#shownAt })) this.publish()
  }

  /** Brings the list up to date, with one upsert or none. */
  publish(): void {
    if (!this.#inList) return
    const view = this.#view()
    const now = columnsOf(view)
    const changed = changedColumns(
      this.#shown ?? columnsAtStart({ repo: view.repo, branch: view.branch }),
      now,
    )
    if (Object.keys(changed).length === 0) return
    upsertSearchAttributes(asPairs(changed))
    countUpsert()
    this.#shown = now
    this.#shownAt = Date.now()
  }
}
