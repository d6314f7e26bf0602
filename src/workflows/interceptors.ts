import type { WorkflowInterceptors } from '@temporalio/workflow'
import { counting } from './lib/actions.ts'
import { logging } from './lib/log-attributes.ts'
import { propagating } from './lib/trace.ts'
import { keepingToHistory } from './lib/uncommitted.ts'

/** Loaded with every workflow, by the bundle. */
export function interceptors(): WorkflowInterceptors {
  const all = [counting(), propagating(), logging(), keepingToHistory()]
  return {
    inbound: all.flatMap(({ inbound = [] }) => inbound),
    outbound: all.flatMap(({ outbound = [] }) => outbound),
    internals: all.flatMap(({ internals = [] }) => internals),
  }
}
