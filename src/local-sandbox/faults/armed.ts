import { isFor, type Fault, type Occasion } from './fault.ts'

/** A fault that was armed, and how often it has fired. */
export interface ArmedFault {
  id: number
  fault: Fault
  fired: number
  /** Unix ms. */
  until: number
  /** Matches let by, by sandbox; '' is none. */
  passed: Map<string, number>
  /** Aborted when it is disarmed. */
  disarmed: AbortSignal
}

/** The faults armed on a server, in the order they were armed. */
export class ArmedFaults {
  #all: ArmedFault[] = []
  #disarm = new AbortController()

  arm(fault: Fault): ArmedFault {
    const until = fault.forMs === undefined ? Infinity : Date.now() + fault.forMs
    const id = this.#all.length + 1
    const armed = { id, fault, fired: 0, until, passed: new Map(), disarmed: this.#disarm.signal }
    this.#all.push(armed)
    return armed
  }

  all(): readonly ArmedFault[] {
    return this.#all
  }

  /** Forgets all: requests that were held up go on, those that hang are let go by `until`. */
  clear(): void {
    this.#all = []
    this.#disarm.abort()
    this.#disarm = new AbortController()
  }

  /** Whether one of this kind could still fire. */
  has(kind: Fault['kind'], sandboxId: string): boolean {
    return this.#all.some(
      (armed) =>
        armed.fault.kind === kind && isLive(armed) && (armed.fault.sandboxId ?? sandboxId) === sandboxId,
    )
  }

  /** What fires now: every latency, and at most one fault else. Each counts as fired. */
  take(occasion: Occasion): ArmedFault[] {
    const taken: ArmedFault[] = []
    for (const armed of this.#all) {
      if (!isLive(armed) || !isFor(armed.fault, occasion)) continue
      if (armed.fault.kind !== 'latency' && taken.some(({ fault }) => fault.kind !== 'latency')) continue
      const sandbox = occasion.sandboxId ?? ''
      const passed = armed.passed.get(sandbox) ?? 0
      armed.passed.set(sandbox, passed + 1)
      if (passed < armed.fault.skip) continue
      armed.fired++
      taken.push(armed)
    }
    return taken
  }
}

function isLive({ fault, fired, until }: ArmedFault): boolean {
  const times = fault.times ?? (fault.forMs === undefined ? 1 : Infinity)
  return fired < times && Date.now() < until
}
