import { pipeline } from 'node:stream/promises'
import { type Program, examples } from '../base-program.ts'
import { withJobs } from '../context.ts'

export function addBlob(program: Program): void {
  program
    .command('blob')
    .description(
      'a blob that an answer names, decrypted (HOLDFAST_BLOB_STORE), such as a checkpoint of a failed job',
    )
    .argument('<name>', 'its name in the blob store')
    .addHelpText(
      'after',
      examples('holdfast blob workflows/holdfast/default/bump-deps/RUN/0-COMMIT.bundle >0.bundle'),
    )
    .action(async (name, _options, command) =>
      withJobs(command.optsWithGlobals(), async (jobs) => {
        await pipeline(await jobs.blob(name), process.stdout, { end: false })
      }),
    )
}
