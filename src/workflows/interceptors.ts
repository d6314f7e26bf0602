import type { WorkflowInterceptors } from '@temporalio/workflow'
import { counting } from './lib/actions.ts'
import { propagating } from './lib/trace.ts'

/** Loaded with every workflow, by the bundle. */
export function interceptors(): WorkflowInterceptors {
  const [counts, traces] = [counting(), propagating()]
  return {
    inbound: [...(counts.inbound ?? []), ...(traces.inbound ?? [])],
    outbound: [...(counts.outbound ?? []), ...(traces.outbound ?? [])],
  }
}
