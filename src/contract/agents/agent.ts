/** One thing that an agent did, as its event stream tells it. */
export type AgentEvent =
  | { type: 'conversation'; id: string }
  | { type: 'thought'; text: string }
  /** What it says; the last one is its answer. */
  | { type: 'message'; text: string }
  /** A line of text, of an agent that prints no events: together they are its answer. */
  | { type: 'line'; text: string }
  | { type: 'toolCall'; tool: string; input: string }
  /** A file that a tool has changed, or is about to. */
  | { type: 'edit'; path: string }
  /** What it used since the last time it said so. */
  | { type: 'usage'; inputTokens: number; outputTokens: number; costUsd: number }
  /** `unavailable`: its model's vendor can't be reached, or has no room now; asked later it may answer. `spent`: it has spent what it may. */
  | { type: 'error'; message: string; unavailable?: boolean; spent?: boolean }

/** One turn of a conversation with an agent. */
export interface AgentTurn {
  /** To go on with; null for a new one. */
  conversation: string | null
  model: string | undefined
  /** Of an endpoint that speaks the protocol of the agent's vendor. */
  baseUrl: string | undefined
  /** What the turn may cost by the agent's own account. */
  maxCostUsd?: number | undefined
}

/** How a coding agent's command line is called without a person, and read. */
export interface AgentCli {
  /** The program that has to be in the template, and how it gets there. */
  program: string
  install: string
  /** The variable in which it looks for its key, and whose host gets it where no endpoint is named. */
  keyVariable: string
  host: string
  /** The header in which it sends its key, so that the key can be set outside of the sandbox. */
  keyHeader: string | undefined
  /** The command line, and variables for it. Reads the prompt from its standard input, or from the file `$HOLDFAST_PROMPT`. */
  command(turn: AgentTurn): { line: string; envs: Record<string, string> }
  /** Where it keeps its conversations, from `~/` on; what is there is saved with the job's work. */
  state: string[]
  /** Whether what it says of its use, once its turn has ended, is of the whole conversation. */
  countsConversation?: true
  /** What a line of its standard output tells; nothing of one that isn't understood. */
  read(line: string): AgentEvent[]
}

/** Never saved, wherever they are: what agents keep keys in. */
export const KEY_FILES = ['auth.json', '.credentials.json', 'credentials.json', '.env', '*.pem', '*.key']

/** A key as requests bear it. */
export const keyHeaders = (name: string, key: string): Record<string, string> => ({
  [name]: name.toLowerCase() === 'authorization' ? `Bearer ${key}` : key,
})

/** As one word of a POSIX shell. */
export const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`

export const words = (...list: (string | undefined | false)[]): string =>
  list
    .filter((word): word is string => typeof word === 'string')
    .map(quote)
    .join(' ')

/** A line of JSON as an object, or undefined. */
export function parseLine(line: string): Json | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Json
  } catch {
    return undefined
  }
}

/** Something of a program that isn't ours: every field may be missing, or of another type. */
export type Json = { [key: string]: Json | undefined } & { [index: number]: Json | undefined }

export const asText = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)

export const asNumber = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0

export const asList = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : [])

export const edits = (paths: unknown[]): AgentEvent[] =>
  paths
    .map(asText)
    .filter(Boolean)
    .map((path) => ({ type: 'edit', path }))

const UNAVAILABLE =
  /\b(429|50[0234]|529)\b|rate.?limit|overloaded|too many requests|(service|temporarily) unavailable|bad gateway|gateway time-?out|connection (error|refused|reset)|(cannot|unable to|failed to) connect|error sending request|stream disconnected|ECONN(REFUSED|RESET)|ETIMEDOUT|request timed out/i

/** An error in words, of an agent that has no others. */
export const errorInWords = (message: string): AgentEvent => ({
  type: 'error',
  message,
  ...(UNAVAILABLE.test(message) && { unavailable: true }),
})
