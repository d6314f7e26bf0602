import { z } from 'zod'
import { DAY, oneLine } from '../fields.ts'

const port = z.int().min(1).max(65_535)
const rules = z.array(oneLine(300)).max(100)

export const networkInputs = {
  'network.getHost': z.strictObject({
    port,
    withToken: z
      .boolean()
      .default(false)
      .describe('Also the traffic access token, which then stands in the history'),
  }),
  'network.update': z
    .strictObject({
      allowOut: rules.optional(),
      denyOut: rules.optional(),
      allowInternetAccess: z.boolean().optional(),
    })
    .describe('Replaces all rules: what is left out is cleared'),
  'network.waitForPort': z.strictObject({ port, timeoutMs: z.int().min(1).max(DAY).default(60_000) }),
  'network.getMcp': z
    .strictObject({})
    .describe("The MCP gateway's URL and its token, which then stands in the history"),
}
