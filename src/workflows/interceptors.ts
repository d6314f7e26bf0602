import { counting } from './lib/actions.ts'

/** Loaded with every workflow, by the bundle. */
export const interceptors = counting
