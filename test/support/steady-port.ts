import { randomInt } from 'node:crypto'
import { freePort } from '../../src/runtime/temporal/ports.ts'

/** Below the ports that systems give out by themselves, so that nothing takes it while it isn't listened at. */
const candidate = (): number => randomInt(15_000, 32_000)

/** A free loopback port for what starts later, or again and again. */
export const steadyPort = (): Promise<number> => freePort(candidate(), candidate(), candidate())
