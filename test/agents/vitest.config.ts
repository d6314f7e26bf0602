import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Real coding agents, which are large: `npm run test:agents`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/agents/**/*.test.ts'],
    globalSetup: ['test/support/temporal.ts'],
    // Each takes a minute or more.
    reporters: ['verbose'],
    testTimeout: 180_000,
    hookTimeout: 600_000,
  },
})
