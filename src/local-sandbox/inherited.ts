import { closeSync, existsSync, readdirSync, readFileSync } from 'node:fs'

const firstInherited = 3
const closeOnExec = 0o2000000

/**
 * Closes the open files that this process was started with, besides stdin, stdout and stderr. They would go on to each
 * sandbox: a shell's pipe or log, open for writing on the host. Our own are all marked to close at exec.
 */
export function closeInherited(): void {
  if (!existsSync('/proc/self/fdinfo')) return
  for (const name of readdirSync('/proc/self/fdinfo')) {
    const fd = Number(name)
    if (fd >= firstInherited && isInherited(fd)) closeSync(fd)
  }
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0
  } catch {
    // It was the one that listed the folder.
    return false
  }
}
