// A program of its own: the SDK downloads only as part of starting a server, and that installs the process's one SDK
// runtime, which is the worker's to install. Argument: the folder to download into.
import { TestWorkflowEnvironment } from '@temporalio/testing'

const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: process.argv[2], ttl: '3650 days' } },
})
await environment.teardown()
