import type { AgentEvent } from './agent.ts'

const AWAY = /^litellm\.(RateLimit|ServiceUnavailable|InternalServer|APIConnection|BadGateway|Timeout)\w*:/

/** What a line says of the vendor, where it is LiteLLM's: an agent that is built on it prints its errors as they are. */
export const vendorErrors = (line: string): AgentEvent[] =>
  AWAY.test(line) ? [{ type: 'error', message: line, unavailable: true }] : []
