import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Tests that need programs which not everybody has, such as Debian's `prometheus`: `npm run test:services`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/services/**/*.test.ts'],
    globalSetup: ['test/support/temporal.ts'],
    testTimeout: 60_000,
  },
})
