/**
 * A backend in one file: submits a job, follows it and prints its result.
 *
 *   npx tsx examples/submit-job.ts https://git.example.com/acme/web.git
 *
 * It takes Temporal's address from TEMPORAL_ADDRESS (or a profile), as every client of Temporal does. Run it twice: the
 * second run finds the job of the first. Ctrl-C ends this program only; the job goes on.
 */
import { connect, HoldfastError, secret, type AgentJobInput, type JobEvent } from 'holdfast'

const url = process.argv[2]
if (!url) {
  console.error('usage: npx tsx examples/submit-job.ts REPOSITORY_URL')
  process.exit(2)
}

const spec: AgentJobInput = {
  id: 'example-notes',
  repo: { url, base: 'main', auth: secret('GIT_TOKEN') },
  branch: 'holdfast/example-notes',
  steps: [
    { write: 'NOTES.md', content: '# Notes\n\nWritten by a job.\n' },
    { run: 'date --utc >> NOTES.md', name: 'add the date' },
  ],
  checks: [{ run: 'test -s NOTES.md', timeout: '1m' }],
  commit: { message: 'Add notes' },
  push: true,
}

try {
  const jobs = await connect()
  try {
    const job = await jobs.submit(spec)
    console.log(`job ${job.id}, run ${job.runId}`)
    // A backend that keeps the last `seq` resumes with job.events({ from: seq + 1 }) after its own restart.
    for await (const event of job.events()) console.log(words(event))
    const { outcome, branch, commit, remoteHead } = await job.result()
    console.log(JSON.stringify({ outcome, branch, commit, remoteHead }))
  } finally {
    await jobs.close()
  }
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error
  // `type` is of a closed list, so a backend can decide by it; `retryable` says whether the same call may succeed later.
  console.error(`${error.type}: ${error.message}\nremedy: ${error.remedy}`)
  process.exitCode = error.retryable ? 75 : 1
}

function words(event: JobEvent): string {
  const time = new Date(event.at).toISOString()
  if (event.type === 'phase') return `${time} ${event.phase}`
  if (event.type === 'stepFinished') return `${time}   ${event.name}: exit ${event.exitCode}, ${event.ms} ms`
  return `${time}   ${event.type}`
}
