import type { z } from 'zod'
import { codeInputs } from './code.ts'
import { commandInputs } from './commands.ts'
import { fileInputs } from './files.ts'
import { gitInputs } from './git.ts'
import { networkInputs } from './network.ts'
import { accountInputs, sandboxInputs } from './sandbox.ts'

/** The schema of each operation's input. */
export const OPERATION_INPUTS = {
  ...sandboxInputs,
  ...commandInputs,
  ...fileInputs,
  ...gitInputs,
  ...codeInputs,
  ...networkInputs,
  ...accountInputs,
}

type Inputs = typeof OPERATION_INPUTS

/** An input as a caller writes it. */
export type OperationInput<N extends keyof Inputs> = z.input<Inputs[N]>
/** An input once parsed, its defaults filled in. */
export type ParsedInput<N extends keyof Inputs> = z.output<Inputs[N]>
