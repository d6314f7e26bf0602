import type { CallToolResult, MCPClient } from '@ai-sdk/mcp'
import type { LlmStep } from '../../contract/llm-step.ts'
import { failure } from '../../contract/failure.ts'
import type { SecretStore } from './secrets.ts'

export type McpServer = LlmStep['mcp'][number]

/** A tool of an MCP server, as the server describes it. */
export interface RemoteTool {
  server: McpServer
  name: string
  description: string
  inputSchema: object
}

/** Between the names of server and tool; what models take in a name is letters, digits, `_` and `-`. */
const BETWEEN = '__'
const MAX_TOOLS = 128

/** What the model knows it by. */
export const remoteName = ({ server, name }: Pick<RemoteTool, 'server' | 'name'>): string =>
  `${server.name}${BETWEEN}${name.replaceAll(/[^\w-]/g, '_')}`.slice(0, 64)

/**
 * What the servers offer.
 *
 * @throws `ModelFailed` where one refuses, offers too much, or two tools under one name; `ModelUnavailable` where one doesn't answer
 */
export async function listRemoteTools(servers: McpServer[], secrets: SecretStore): Promise<RemoteTool[]> {
  const found = await Promise.all(
    servers.map((server) =>
      withServer(server, secrets, async (client) => {
        const { tools } = await client.listTools().catch(refused(server.name))
        return tools.map(({ name, description = '', inputSchema }) => ({
          server,
          name,
          description,
          inputSchema,
        }))
      }),
    ),
  )
  const tools = found.flat()
  if (tools.length > MAX_TOOLS)
    throw failure('ModelFailed', `mcp: the servers have ${tools.length} tools, more than ${MAX_TOOLS}`)
  const names = new Set<string>()
  for (const tool of tools) {
    const name = remoteName(tool)
    if (names.has(name))
      throw failure(
        'ModelFailed',
        `mcp: two tools of ${tool.server.name} would be ${name} to the model: rename one`,
      )
    names.add(name)
  }
  return tools
}

/** An MCP server's answer that asking again won't change, or none. */
const refused =
  (server: string) =>
  ({ message, code, statusCode = 500 }: Error & { code?: unknown; statusCode?: number }): never => {
    const isFinal = typeof code === 'number' || / not support/.test(message)
    const isRefusal = statusCode < 500 && ![408, 429].includes(statusCode)
    if (isFinal || isRefusal) throw failure('ModelFailed', `mcp: the server ${server} refuses: ${message}`)
    throw failure('ModelUnavailable', `mcp: the server ${server} does not answer: ${message}`)
  }

/** Opens a server, does the work, and closes it. @throws `ModelUnavailable`, `ModelFailed` where it can't be opened */
export async function withServer<T>(
  { name, url, key }: McpServer,
  secrets: SecretStore,
  work: (client: MCPClient) => Promise<T>,
): Promise<T> {
  const headers = key && { headers: { authorization: `Bearer ${secrets.resolve(key.secret, url)}` } }
  const { createMCPClient } = await import('@ai-sdk/mcp')
  const client = await createMCPClient({
    transport: { type: 'http', url, ...headers },
    clientName: 'holdfast',
  }).catch(refused(name))
  try {
    return await work(client)
  } finally {
    await client.close().catch(() => undefined) // what was asked of it is done
  }
}

/** What a tool gave, as text. */
export function textOfResult(result: CallToolResult): string {
  if (!('content' in result) || !Array.isArray(result.content)) return JSON.stringify(result)
  return result.content
    .map((part: { type: string; text?: unknown }) =>
      part.type === 'text' ? String(part.text) : `(${part.type}, left out)`,
    )
    .join('\n')
}
