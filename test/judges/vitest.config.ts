import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The clients that people use against E2B, installed as they are: they judge the local sandbox server. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/judges/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
})
