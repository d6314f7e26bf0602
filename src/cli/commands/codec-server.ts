import { type Program, examples } from '../base-program.ts'
import { answer, refuseOptions } from '../context.ts'
import { portNumber } from '../numbers.ts'

const UI_OF_UP = 'http://localhost:8233'

export function addCodecServer(program: Program): void {
  program
    .command('codec-server')
    .description(
      "let Temporal's UI and CLI read encrypted payloads; asks every caller for HOLDFAST_CODEC_TOKEN",
    )
    .option('--port <number>', 'where it listens', portNumber, 8081)
    .option('--host <address>', 'on which address it listens; others need TLS in front of it', '127.0.0.1')
    .option(
      '--origin <url>',
      `of a Temporal UI that may ask; repeatable (default: ${UI_OF_UP})`,
      (text: string, earlier: string[] | undefined) => [...(earlier ?? []), text],
    )
    .addHelpText(
      'after',
      examples(
        'HOLDFAST_ENCRYPTION_KEYS=… HOLDFAST_CODEC_TOKEN=… holdfast codec-server',
        'temporal workflow show -w bump-deps --codec-endpoint http://localhost:8081 --codec-auth "Bearer $HOLDFAST_CODEC_TOKEN"',
      ),
    )
    .action(async ({ port, host, origin = [UI_OF_UP] }, command) => {
      const globals = command.optsWithGlobals()
      refuseOptions(globals, 'codec-server', ['address', 'namespace', 'taskQueue'])
      const { runCodecServer } = await import('../../codec-server.ts')
      await runCodecServer({ port, host, origins: origin }, (url) =>
        answer(globals, { url }, () => `the codec server is at ${url}`),
      )
    })
}
