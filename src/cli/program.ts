import { baseProgram } from './base-program.ts'
import { addAnswers } from './commands/answers.ts'
import { addTools } from './commands/tools.ts'
import { addBlob } from './commands/blob.ts'
import { addCancel } from './commands/cancel.ts'
import { addNotify } from './commands/notify.ts'
import { addCodecServer } from './commands/codec-server.ts'
import { addDiff } from './commands/diff.ts'
import { addList } from './commands/list.ts'
import { addOutput } from './commands/output.ts'
import { addSandboxes } from './commands/sandboxes.ts'
import { addSchema } from './commands/schema.ts'
import { addSession } from './commands/session.ts'
import { addStatus } from './commands/status.ts'
import { addSubmit } from './commands/submit.ts'
import { addUp } from './commands/up.ts'
import { addWatch } from './commands/watch.ts'
import { addWorker } from './commands/worker.ts'

/**
 * The whole command line. Modules that are heavy (Temporal, zod, yaml) are imported by a command when it runs, so that
 * help comes at once.
 */
export function createProgram() {
  const program = baseProgram()
  for (const add of [
    addSubmit,
    addStatus,
    addWatch,
    addOutput,
    addDiff,
    addAnswers,
    addTools,
    addCancel,
    addNotify,
    addList,
    addSession,
    addBlob,
    addSandboxes,
    addSchema,
    addWorker,
    addUp,
    addCodecServer,
  ])
    add(program)
  return program
}
