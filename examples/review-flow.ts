/**
 * A reviewer in one file: submits a job that asks for review, prints its diff, asks for a change once, then approves.
 *
 *   npx tsx examples/review-flow.ts https://git.example.com/acme/web.git
 *
 * In real life the answers come from a person, hours or days later: the sandbox is paused meanwhile, and costs nothing. Ended and
 * started again, this program goes on where the job is.
 */
import { connect, secret } from 'holdfast'

const url = process.argv[2]
if (!url) {
  console.error('usage: npx tsx examples/review-flow.ts REPOSITORY_URL')
  process.exit(2)
}

const jobs = await connect()
try {
  const job = await jobs.submit({
    id: 'example-review',
    repo: { url, base: 'main', auth: secret('GIT_TOKEN') },
    branch: 'holdfast/example-review',
    steps: [{ run: 'echo "Hello." >GREETING.md', name: 'greet' }],
    checks: [{ run: 'test -s GREETING.md', timeout: '1m' }],
    review: { required: true, timeout: '7d', onTimeout: 'reject' },
    commit: { message: 'Add a greeting' },
    push: true,
  })
  for await (const event of job.events()) {
    if (event.type !== 'reviewRequested') continue
    const { waitingFor, round } = await job.status()
    // An earlier run of this program has answered this one.
    if (waitingFor?.kind !== 'review' || round !== event.round) continue
    console.log(`round ${round}: ${event.files} file, +${event.insertions} -${event.deletions}`)
    console.log((await job.diff())?.text)
    if (round === 1)
      await job.requestChanges({
        by: 'alice',
        feedback: 'and how are you?',
        // Without steps the job's own run again; they find the feedback in HOLDFAST_FEEDBACK.
        steps: [{ run: 'echo "$HOLDFAST_FEEDBACK" >>GREETING.md', name: 'take in the feedback' }],
      })
    else await job.approve({ by: 'alice', comment: 'friendly enough' })
  }
  const { outcome, commit, sandbox } = await job.result()
  console.log(JSON.stringify({ outcome, commit, pauses: sandbox.pauses }))
} finally {
  await jobs.close()
}
