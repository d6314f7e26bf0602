import type { TestProject } from 'vitest/node'
import { provideTemporal } from '../support/temporal.ts'

/** The suite's Temporal dev server, with its web UI. */
export default (project: TestProject): Promise<() => Promise<void>> => provideTemporal(project, { ui: true })
