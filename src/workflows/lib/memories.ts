import type { Step } from '../../contract/spec.ts'

/** What steps remember, each with the place of its step in a list. */
export type Memories<T> = [at: number, memory: T][]

/** What steps that aren't in the list remember is left out. */
export const memoriesOf = <S extends Step, T>(map: Map<S, T>, steps: Step[]): Memories<T> =>
  [...map].map(([step, memory]): [number, T] => [steps.indexOf(step), memory]).filter(([at]) => at >= 0)

export const remembered = <S extends Step, T>(memories: Memories<T>, steps: Step[]): Map<S, T> =>
  new Map(memories.map(([at, memory]) => [steps[at] as S, memory]))
