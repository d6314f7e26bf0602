import {
  condition,
  defineSignal,
  defineUpdate,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
} from '@temporalio/workflow'

interface Activities {
  nothing(): Promise<void>
}

const times = { startToCloseTimeout: '1m' } as const
const { nothing } = proxyActivities<Activities>(times)
const { nothing: nothingLocal } = proxyLocalActivities<Activities>(times)

/** Does as a session does for an operation, and nothing else. */
export async function bare(): Promise<void> {
  let over = false
  setHandler(defineUpdate('update'), () => undefined)
  setHandler(defineUpdate('activity'), () => nothing())
  setHandler(defineUpdate('localActivity'), () => nothingLocal())
  setHandler(defineSignal('end'), () => {
    over = true
  })
  await condition(() => over)
}
