/** What a model and the job have said so far, in the blob store: grows by parts. */
export interface Transcript {
  /** Names it within the workflow. */
  name: string
  parts: number
}

/** A call of a tool, as a history can hold it. Its input is in the transcript. */
export interface ToolCall {
  id: string
  tool: string
  /** Whether it is of an MCP server, and not in the sandbox. */
  remote: boolean
  /** What it is about, in a line of at most 200 characters. */
  summary: string
  /** Of tool and input: by it a person allows this very call, and repetition is noticed. */
  hash: string
  /** Whether a person has to allow it. */
  mustBeAllowed: boolean
  /** Then its whole input, as YAML without secrets; a long one without its middle. */
  asked?: string
}

/** An answer of a model, bounded. */
export interface ModelAnswer {
  transcript: Transcript
  finish: 'stop' | 'tools' | 'length' | 'refused' | 'other'
  /** What it says, at most 4,000 characters. */
  text: string
  calls: ToolCall[]
  /** Calls that were none: an unknown tool, or broken input. The model is told. */
  invalid: number
  usage: { inputTokens: number; outputTokens: number }
}

/** What came of a tool, bounded. What the model reads is in the blob store. */
export interface ToolOutcome {
  ok: boolean
  /** Whether the work is as it was last saved, so that there is nothing to save. */
  unchanged: boolean
  /** In a line of at most 200 characters. */
  summary: string
}
