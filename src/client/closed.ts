import { type Interceptor, InterceptingCall, Metadata, status } from '@grpc/grpc-js'

/**
 * Temporal's client makes a call again some time after it failed, and throws where nobody can catch it if the connection was closed
 * meanwhile, which ends the process. Behind its retries, this has such a call fail instead.
 */
export const failingOnceClosed: Interceptor = (options, nextCall) => {
  try {
    return new InterceptingCall(nextCall(options))
  } catch (error) {
    const details = (error as Error).message
    return new InterceptingCall({
      start: (_metadata, listener) =>
        listener?.onReceiveStatus?.({ code: status.CANCELLED, details, metadata: new Metadata() }),
      sendMessage: () => undefined,
      sendMessageWithContext: () => undefined,
      halfClose: () => undefined,
      startRead: () => undefined,
      cancelWithStatus: () => undefined,
      getPeer: () => '',
      getAuthContext: () => null,
    })
  }
}
