import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Tests of the Temporal UI in Chromium, which not everybody has: `npm run test:browser`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/browser/**/*.test.ts'],
    globalSetup: ['test/browser/temporal.ts'],
    testTimeout: 90_000,
    hookTimeout: 90_000,
    fileParallelism: false,
  },
})
