import { defineConfig } from 'vitest/config'

// What is awaited for longer than this will not come; a busy machine takes many times what a quiet one does.
const expect = { poll: { timeout: 60_000 } }

export default defineConfig({
  test: {
    // Tests wait for processes; more files at once than this only wait for the processor.
    maxWorkers: 4,
    // Files leave nothing behind in their process, and importing the SDKs once a process saves a minute.
    isolate: false,
    projects: [
      // Bounds for what hangs: on a machine that does other work too, what takes a second may take ten.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          expect,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/{workflows,replay,conformance,e2e}/**/*.test.ts'],
          globalSetup: ['test/support/temporal.ts'],
          expect,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
})
