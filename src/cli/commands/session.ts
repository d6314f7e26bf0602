import { type Program, examples } from '../base-program.ts'
import { addCode } from './session/code.ts'
import { addFiles } from './session/files.ts'
import { addLife } from './session/life.ts'
import { addPerform } from './session/perform.ts'
import { addRun } from './session/run.ts'

const sessionGroup = (program: Program) =>
  program
    .command('session')
    .description('sandboxes that live long: open, run, read, write, code, pause, close …')
    .addHelpText(
      'after',
      examples(
        'holdfast session open dev --idle-timeout 10m',
        'holdfast session run dev -- npm test',
        'holdfast session close dev',
      ),
    )

/** The group `holdfast session`. */
export type SessionGroup = ReturnType<typeof sessionGroup>

export function addSession(program: Program): void {
  const group = sessionGroup(program)
  for (const add of [addLife, addRun, addFiles, addCode, addPerform]) add(group)
}
