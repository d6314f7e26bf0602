import { TimeoutFailure, TimeoutType } from '@temporalio/common'
import {
  ServiceError,
  WorkflowFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import { Metadata, status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../src/client/errors.ts'

const rpcError = (code: status, details = '') =>
  Object.assign(new Error(details), { code, details, metadata: new Metadata() })

describe('what a Temporal client throws, by the closed list', () => {
  test.each([
    [
      'a workflow that has run out of its time',
      new WorkflowFailedError(
        'Workflow execution timed out',
        new TimeoutFailure('Workflow execution timed out', undefined, TimeoutType.START_TO_CLOSE),
        'TIMEOUT',
      ),
      'TimedOut',
    ],
    [
      'an update whose call was ended',
      new WorkflowUpdateRPCTimeoutOrCancelledError('ended', { cause: rpcError(status.CANCELLED, 'ended') }),
      'ServerUnreachable',
    ],
    [
      'an API key that is refused',
      new ServiceError('Failed', { cause: rpcError(status.UNAUTHENTICATED) }),
      'SettingsInvalid',
    ],
    [
      'a client without a right',
      new ServiceError('Failed', { cause: rpcError(status.PERMISSION_DENIED, 'Request unauthorized.') }),
      'SettingsInvalid',
    ],
  ])('%s', (_, error, type) =>
    expect(HoldfastError.from(error)).toMatchObject({ name: 'HoldfastError', type }),
  )
})
