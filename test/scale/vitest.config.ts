import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** What takes minutes of both cores: `npm run test:scale`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: { include: ['test/scale/**/*.test.ts'], testTimeout: 30 * 60_000 },
})
