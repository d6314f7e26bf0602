import { constants } from 'node:os'

/** How a process ended, in the words clients expect. */
export interface ProcessEnd {
  exitCode: number
  exited: boolean
  status: string
  error?: string
}

/** The words of Go's `syscall.Signal.String`, which clients were written against. */
const signalTexts: Partial<Record<NodeJS.Signals, string>> = {
  SIGABRT: 'aborted',
  SIGALRM: 'alarm clock',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGHUP: 'hangup',
  SIGILL: 'illegal instruction',
  SIGINT: 'interrupt',
  SIGKILL: 'killed',
  SIGPIPE: 'broken pipe',
  SIGQUIT: 'quit',
  SIGSEGV: 'segmentation fault',
  SIGTERM: 'terminated',
  SIGTRAP: 'trace/breakpoint trap',
  SIGUSR1: 'user defined signal 1',
  SIGUSR2: 'user defined signal 2',
}

/** How a process with this exit code, or ended by this signal, is reported. */
export function describeEnd(exitCode: number | null, signal: NodeJS.Signals | null): ProcessEnd {
  if (signal) {
    const status = `signal: ${signalTexts[signal] ?? `signal ${constants.signals[signal]}`}`
    return { exitCode: -1, exited: false, status, error: status }
  }
  const status = `exit status ${exitCode}`
  return { exitCode: exitCode ?? 0, exited: true, status, ...(exitCode ? { error: status } : {}) }
}
