import { expect, test } from 'vitest'
import type { Stack } from '../../src/stack/stack.ts'
import { describeStack } from '../../src/stack/up.ts'

const stack: Stack = {
  temporal: {
    address: '127.0.0.1:7233',
    namespace: 'default',
    uiUrl: 'http://127.0.0.1:8233',
    how: 'embedded',
  },
  sandboxes: { how: 'the local sandbox server', apiUrl: undefined, isolation: undefined },
  worker: {
    pid: 1,
    taskQueue: 'holdfast',
    metricsUrl: 'http://127.0.0.1:9464/metrics',
    tracesUrl: undefined,
  },
  blobStore: 'file:///tmp/blobs',
  logs: '/tmp/logs',
  broken: new Promise(() => undefined),
  stop: () => Promise.resolve(),
}

test('a stack that is up says where UI, metrics, traces and logs are', () => {
  expect(describeStack(stack)).toMatch(
    /^UI +http:\/\/127\.0\.0\.1:8233$[^]*^Metrics +http:\/\/127\.0\.0\.1:9464\/metrics$[^]*^Traces +nowhere; OTEL_[^]*^Logs +\/tmp\/logs$/m,
  )
  const tracesUrl = 'http://collector:4318/v1/traces'
  expect(describeStack({ ...stack, worker: { ...stack.worker, tracesUrl } })).toMatch(
    /^Traces +http:\/\/collector:4318\/v1\/traces$/m,
  )
})
