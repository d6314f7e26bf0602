import { type ActivityOptions, proxyActivities } from '@temporalio/workflow'
import type { Activities } from '../../activities/index.ts'

/** Which failures are terminal is in the failures themselves. */
const retry = (maximumAttempts: number): ActivityOptions['retry'] => ({
  initialInterval: '250ms',
  backoffCoefficient: 2,
  maximumInterval: '30s',
  maximumAttempts,
})

/** A call or two to E2B. After about 15 s of trying, the job itself waits: `Outage`. */
const CALL: ActivityOptions = { startToCloseTimeout: '2m', heartbeatTimeout: '10s', retry: retry(7) }

/**
 * Work in the sandbox that attaches again after a worker's death: noticed by the heartbeat, waited for on cancellation so
 * that the command is ended before the sandbox is.
 */
const WORK: ActivityOptions = {
  startToCloseTimeout: '75m',
  heartbeatTimeout: '10s',
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: retry(7),
}

/** A call or two in a sandbox, noticed soon where its worker dies. */
const QUICK: ActivityOptions = { ...WORK, startToCloseTimeout: '2m' }

/** What E2B may take its time for. */
const SLOW: ActivityOptions = { ...WORK, startToCloseTimeout: '30m' }

/** A vendor that is away is soon a wait of the job's: each try may be billed. */
const MODEL: ActivityOptions = { ...WORK, retry: retry(5) }

/** How every activity is tried, in one table. `satisfies` makes it complete. */
const TABLE = {
  // Operations. Those that take a `timeoutMs` get that and `MARGIN_MS`.
  'commands.run': WORK,
  'commands.start': QUICK,
  'commands.wait': WORK,
  'commands.list': QUICK,
  'commands.kill': QUICK,
  'commands.sendStdin': QUICK,
  'commands.closeStdin': QUICK,
  'files.read': QUICK,
  'files.write': QUICK,
  'files.writeFiles': QUICK,
  'files.list': QUICK,
  'files.makeDir': QUICK,
  'files.remove': QUICK,
  'files.rename': QUICK,
  'files.exists': QUICK,
  'files.getInfo': QUICK,
  'files.watchDir': WORK,
  'git.clone': WORK,
  'git.configureUser': QUICK,
  'git.createBranch': QUICK,
  'git.checkout': QUICK,
  'git.add': QUICK,
  'git.commit': QUICK,
  'git.push': WORK,
  'git.pull': WORK,
  'git.status': QUICK,
  'git.branches': QUICK,
  'git.dangerouslyAuthenticate': QUICK,
  'code.run': WORK,
  'code.createContext': QUICK,
  'code.listContexts': QUICK,
  'code.restartContext': QUICK,
  'code.removeContext': QUICK,
  'code.readArtifact': QUICK,
  'network.getHost': QUICK,
  'network.update': QUICK,
  'network.waitForPort': WORK,
  'network.getMcp': QUICK,
  'sandbox.getInfo': QUICK,
  'sandbox.getMetrics': QUICK,
  'sandbox.setTimeout': QUICK,
  'sandbox.createSnapshot': SLOW,
  'sandbox.fork': SLOW,
  'sandbox.list': QUICK,
  'sandbox.listSnapshots': QUICK,
  'sandbox.deleteSnapshot': QUICK,
  'template.exists': QUICK,
  'template.build': SLOW,
  // Several of them
  batch: WORK,
  // A sandbox's life
  admitJob: { startToCloseTimeout: '10s', retry: retry(5) },
  admitChanges: { startToCloseTimeout: '10s', retry: retry(5) },
  // Cancelled, it is waited for: what it made after that would be nobody's.
  createSandbox: { ...CALL, cancellationType: 'WAIT_CANCELLATION_COMPLETED' },
  pauseSandbox: CALL,
  resumeSandbox: CALL,
  killSandbox: CALL,
  killAllocation: CALL,
  deleteArtifacts: CALL,
  // As long as the operation in the session takes.
  useSession: { ...WORK, startToCloseTimeout: '25h' },
  // A job. A command is followed for as long as it may run; the caller adds its time.
  runCommand: WORK,
  runAgent: WORK,
  callModel: MODEL,
  sumUp: MODEL,
  useTool: WORK,
  useRemoteTool: WORK,
  refuseTool: QUICK,
  writeFile: WORK,
  applyPatch: WORK,
  cloneRepository: WORK,
  readDiff: WORK,
  checkGuards: WORK,
  saveCheckpoint: WORK,
  restoreCheckpoint: WORK,
  verifyResume: WORK,
  commitWork: WORK,
  pushBranch: WORK,
  deleteCheckpoints: { startToCloseTimeout: '2m', retry: retry(7) },
  reapSandboxes: { startToCloseTimeout: '30m', heartbeatTimeout: '2m', retry: retry(5) },
} satisfies Record<keyof Activities, ActivityOptions>

/**
 * Runs an activity by its row of the table.
 *
 * @param summary what the Temporal UI shows beside it, in words
 */
export async function perform<Name extends keyof Activities>(
  name: Name,
  summary: string,
  input?: Parameters<Activities[Name]>[0],
  options: ActivityOptions = {},
): Promise<Awaited<ReturnType<Activities[Name]>>> {
  const proxy = proxyActivities<Record<string, (input: unknown) => Promise<unknown>>>(TABLE[name])
  const activity = proxy[name]
  if (!activity) throw new Error(`no activity ${name}`)
  const result = await activity.executeWithOptions({ summary: summary.slice(0, 200), ...options }, [input])
  return result as Awaited<ReturnType<Activities[Name]>>
}
