import { type Program, examples } from '../base-program.ts'
import { print } from '../terminal.ts'

export function addSchema(program: Program): void {
  program
    .command('schema')
    .description('the JSON Schema of a spec, for editors')
    .addHelpText(
      'after',
      examples('holdfast schema > job.schema.json') +
        '\n\nThen, as the first line of a spec:\n  # yaml-language-server: $schema=job.schema.json',
    )
    .action(async () => {
      const { agentJobJsonSchema } = await import('../../contract/spec.ts')
      print(JSON.stringify(agentJobJsonSchema(), undefined, 2))
    })
}
