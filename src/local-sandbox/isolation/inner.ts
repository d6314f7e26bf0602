import type { InnerPaths } from './driver.ts'

// What sandboxes look like from inside, whichever driver isolates them.

export const user = 'user'
export const home = '/home/user'
export const envdScript = '/opt/holdfast/envd.cjs'
export const nodeFolder = '/opt/holdfast/node'
export const interpreterEnvironment = '/opt/holdfast/python'
export const interpreterProgram = '/opt/holdfast/interpreter'

/** What envd is told; `egressPort` is next to E2B's own ports, where nothing of the user's is expected. */
export const inner: Omit<InnerPaths, 'interpreter' | 'root'> = {
  socket: '/run/holdfast/envd/envd.sock',
  egressSocket: '/run/holdfast/egress/egress.sock',
  egressPort: 49_982,
  runDir: '/run/holdfast/envd',
  user,
  home,
  trust: '/opt/holdfast/trust',
  path: '/opt/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
}
