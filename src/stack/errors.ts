/** A part of the stack that can't be started, or can't be kept running. */
export class StackError extends Error {
  override readonly name = 'StackError'
  /** What the person can do. */
  readonly remedy: string

  constructor(message: string, options: { remedy: string; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.remedy = options.remedy
  }
}
