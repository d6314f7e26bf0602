import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runSpan, traceContext } from '../../src/contract/trace.ts'

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'.split('')), { minLength: length, maxLength: length })
    .map((all) => all.join(''))

test('a run is a child of whoever started it, in the same trace, and what it starts a child of the run', () => {
  fc.assert(
    fc.property(
      fc.uuid(),
      fc.uuid(),
      hex(32),
      hex(16),
      fc.boolean(),
      (runId, childId, traceId, spanId, sampled) => {
        const run = runSpan(runId, { traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` })
        expect(run).toMatchObject({ traceId, parentSpanId: spanId, sampled })
        const child = runSpan(childId, traceContext(run))
        expect(child).toMatchObject({ traceId, parentSpanId: run.spanId, sampled })
      },
    ),
  )
})

test.each([undefined, '', 'nonsense', '00-zz-11-01'])(
  'of a trace context %s a run makes a trace of its own',
  (traceparent) => {
    const runId = '0198f2c4-5b7a-7c3d-9e2f-112233445566'
    expect(runSpan(runId, traceparent === undefined ? {} : { traceparent })).toEqual({
      traceId: '0198f2c45b7a7c3d9e2f112233445566',
      spanId: '9e2f112233445566',
      parentSpanId: undefined,
      sampled: true,
    })
  },
)
