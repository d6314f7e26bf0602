import { type Program, examples } from '../base-program.ts'
import { answer, programOf, withJobs } from '../context.ts'
import { fileLabel, readText } from '../read-file.ts'
import { watchJob } from '../watch-job.ts'

export function addSubmit(program: Program): void {
  program
    .command('submit')
    .description('start the job of a YAML file; the same id and spec again find the same job')
    .argument('<file>', 'a spec in YAML or JSON; - reads stdin')
    .option('--watch', 'follow the job to its end')
    .addHelpText(
      'after',
      examples(
        'holdfast submit job.yaml',
        'holdfast submit job.yaml --watch',
        'make-spec | holdfast submit - --json',
      ),
    )
    .action(async (file, options, command) => {
      const globals = command.optsWithGlobals()
      const spec = await readSpec(file)
      await withJobs(globals, async (jobs) => {
        const job = await jobs.submit(spec)
        const watch = `${programOf(globals)} watch ${job.id}`
        answer(globals, { id: job.id, runId: job.runId, watch }, () =>
          options.watch ? job.id : `${job.id}\nwatch it with: ${watch}`,
        )
        if (options.watch) await watchJob(globals, job, 0)
      })
    })
}

async function readSpec(path: string) {
  const [{ checkYaml, parseYaml }, { agentJobSpec }] = await Promise.all([
    import('../yaml-input.ts'),
    import('../../contract/spec.ts'),
  ])
  const file = fileLabel(path)
  return checkYaml(agentJobSpec, parseYaml(await readText(path), file), file)
}
