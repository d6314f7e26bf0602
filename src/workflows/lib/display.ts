import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import type { JobEventBody } from '../../contract/job.ts'
import { asPairs, type Columns, columnsAtStart } from '../../contract/search-attributes.ts'
import { countUpsert } from './actions.ts'
import { changedColumns, columnsOf, isNews } from './columns.ts'
import { inList } from './in-list.ts'
import type { JobView } from './job-view.ts'
import { pageOf } from './page.ts'

/** What the list shows since when: for the next run of the workflow. */
export interface Shown {
  columns?: Columns | undefined
  at: number
}

/** What the Temporal UI shows of a job: its page, which costs nothing, and its columns in the list. */
export class Display {
  readonly #view: () => JobView
  #shown: Shown
  readonly #inList = inList()

  constructor(view: () => JobView, earlier?: Shown) {
    this.#view = view
    this.#shown = earlier ?? { at: Date.now() }
  }

  get saved(): Shown {
    return this.#shown
  }

  show(event: JobEventBody): void {
    this.showPage()
    const { columns, at } = this.#shown
    const waitIsOver = !this.#view().waitingFor && columns !== undefined && columns.waitingFor !== 'nothing'
    if (isNews(event, { waitIsOver, ms: Date.now() - at })) this.publish()
  }

  showPage(): void {
    setCurrentDetails(pageOf(this.#view(), Date.now()))
  }

  /** Brings the list up to date, with one upsert or none. */
  publish(): void {
    if (!this.#inList) return
    const view = this.#view()
    const now = columnsOf(view)
    const changed = changedColumns(
      this.#shown.columns ?? columnsAtStart({ repo: view.repo, branch: view.branch }),
      now,
    )
    if (Object.keys(changed).length === 0) return
    upsertSearchAttributes(asPairs(changed))
    countUpsert()
    this.#shown = { columns: now, at: Date.now() }
  }
}
