import { z } from 'zod'
import { checked, DAY, duration, envs, MINUTE, oneLine, secretRef, text, urlProblem } from './fields.ts'
import { agentStep } from './agent-step.ts'
import { llmStep } from './llm-step.ts'
import { guards } from './guards.ts'
import { branchNameProblem, repositoryPathProblem } from './git-names.ts'

/** E2B's `ALL_TRAFFIC`. */
const ALL_TRAFFIC = '0.0.0.0/0'
/** A host name, or a pattern of names, rather than an address or a range. */
const isName = (rule: string): boolean => /[a-z]/i.test(rule) && !rule.includes(':')

const command = {
  /** A command line for the sandbox's shell. */
  run: text(24 * 1024)
    .min(1)
    .describe('A command line for bash, run in the repository'),
  name: oneLine(100).optional().describe('What people see; the command itself by default'),
  cwd: checked(repositoryPathProblem).optional().describe('A folder of the repository; its root by default'),
  envs: envs.optional(),
  timeout: duration(DAY)
    .default(10 * MINUTE)
    .describe('After this the command is ended, with exit code 124'),
  rerun: z
    .enum(['always', 'if-interrupted', 'never'])
    .default('if-interrupted')
    .describe(
      'When the sandbox was lost and the work restored: "always" runs it again even if it had finished (installed dependencies), "never" not even if it was interrupted (effects outside the sandbox)',
    ),
}

const runStep = z.strictObject(command).describe('Run a command')
const writeStep = z
  .strictObject({
    write: checked(repositoryPathProblem).describe('A path in the repository'),
    content: text(512 * 1024),
    executable: z.boolean().optional(),
    name: oneLine(100).optional(),
  })
  .describe('Write a file')
const patchStep = z
  .strictObject({
    patch: text(512 * 1024)
      .min(1)
      .describe('A unified diff, as git makes it'),
    name: oneLine(100).optional(),
  })
  .describe('Apply a patch; one that is already applied counts as done')

const sleepStep = z
  .strictObject({ sleep: duration(365 * DAY), name: oneLine(100).optional() })
  .describe('Wait for a time; the sandbox is paused where that pays')
const waitStep = z
  .strictObject({
    waitFor: oneLine(100).describe(
      'A name; the job goes on when it is notified of it, even if that was earlier',
    ),
    timeout: duration(365 * DAY).default(DAY),
    onTimeout: z.enum(['fail', 'continue']).default('fail'),
    name: oneLine(100).optional(),
  })
  .describe('Wait for something outside, such as CI, with the sandbox paused')

export const stepSchema = z.union([runStep, writeStep, patchStep, agentStep, llmStep, sleepStep, waitStep])
const stepsSchema = z.array(stepSchema).max(100)

/** Why E2B would refuse these rules, or undefined where it would not. */
export function networkProblem({
  allowOut = [],
  denyOut = [],
}: { allowOut?: string[] | undefined; denyOut?: string[] | undefined } = {}): string | undefined {
  if (!allowOut.some(isName) || denyOut.includes(ALL_TRAFFIC)) return undefined
  return `needs "${ALL_TRAFFIC}": E2B takes host names in allowOut only where all else is denied`
}

export const jobIdProblem = (id: string): string | undefined =>
  /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/.test(id)
    ? undefined
    : 'is not an id: letters, digits and . _ / - (at most 200), starting with a letter or digit'

/** The one schema of a job's spec: for YAML files, the client and the JSON Schema. */
export const agentJobSpec = z
  .strictObject({
    id: checked(jobIdProblem).describe(
      'Names the job, and is the id of its workflow; submitting it twice gives the same job',
    ),
    repo: z.strictObject({
      url: checked(urlProblem).describe('http(s), without credentials'),
      base: checked(branchNameProblem).default('main').describe('The branch to start from'),
      depth: z.int().min(1).max(1_000_000).optional().describe('Clone only so many commits'),
      auth: secretRef.extend({ username: oneLine(100).default('x-access-token') }).optional(),
    }),
    branch: checked(branchNameProblem).describe('The branch to make and push'),
    steps: stepsSchema.min(1),
    checks: z
      .array(runStep)
      .max(50)
      .default([])
      .describe('Commands that must exit with 0 before review, commit and push'),
    guards: guards.optional(),
    review: z
      .strictObject({
        required: z.boolean().default(true),
        timeout: duration(365 * DAY).default(7 * DAY),
        onTimeout: z.enum(['reject', 'approve']).default('reject'),
      })
      .optional()
      .describe('Wait for a person, with the sandbox paused'),
    commit: z
      .strictObject({
        message: text(16 * 1024).min(1),
        author: z
          .strictObject({ name: oneLine(200), email: oneLine(200).regex(/^[^<>]*$/, 'has < or >') })
          .default({ name: 'Holdfast', email: 'holdfast@localhost' }),
      })
      .optional(),
    push: z
      .union([z.boolean(), z.strictObject({ onConflict: z.enum(['fail', 'rebase']) })])
      .transform((value) => (value === true ? { onConflict: 'fail' as const } : value))
      .default(false)
      .describe(
        'Push the commit; what if the branch is on the remote with other work: fail, or rebase onto it',
      ),
    sandbox: z
      .strictObject({
        template: oneLine(200).default('base').describe('A template of E2B'),
        envs: envs.default({}),
        timeout: duration(DAY)
          .default(10 * MINUTE)
          .describe('E2B pauses the sandbox when no worker has extended it for so long'),
        pauseAfter: duration(DAY)
          .optional()
          .describe('Pause across waits longer than this; by default longer than a pause and a resume take'),
        allowInternetAccess: z.boolean().optional(),
        network: z
          .strictObject({
            allowOut: z.array(oneLine(300)).max(100).optional(),
            denyOut: z.array(oneLine(300)).max(100).optional(),
          })
          .optional(),
        preview: z
          .strictObject({
            port: z.int().min(1).max(65_535).describe('Where something in the sandbox listens'),
            autoResume: z
              .boolean()
              .default(true)
              .describe("Whether a request to it wakes the paused sandbox; E2B's `lifecycle.autoResume`"),
          })
          .optional()
          .describe('Shown by its public URL on the page of the job, for whoever reviews it'),
        keep: z
          .enum(['always', 'on-failure', 'never'])
          .default('on-failure')
          .describe('Whether a paused sandbox stays when the job has ended'),
      })
      .prefault({}),
    priority: z
      .strictObject({
        priorityKey: z.int().min(1).max(5).optional().describe('1 goes first, 5 last; 3 where left out'),
        fairnessKey: oneLine(64)
          .refine((key) => new TextEncoder().encode(key).length <= 64, 'has more than 64 bytes')
          .optional()
          .describe('Whose job it is, such as a team: a backlog is handed out evenly among the keys'),
        fairnessWeight: z.number().min(0.001).max(1000).optional().describe('Of the key; 1 where left out'),
      })
      .optional()
      .describe("Temporal's own, for the job and all its activities, where more waits than workers can do"),
    limits: z
      .strictObject({
        sandboxTime: duration(365 * DAY)
          .optional()
          .describe('How long the sandbox may run, pauses left out'),
        costUsd: z.number().positive().max(1_000_000).optional().describe('What the job may cost, in USD'),
      })
      .optional()
      .describe('Reaching one ends the job; what it has done so far is saved'),
  })
  .superRefine((spec, context) => {
    if (spec.push && !spec.commit)
      context.addIssue({ code: 'custom', path: ['push'], message: 'needs a commit: add commit.message' })
    const problem = networkProblem(spec.sandbox.network)
    if (problem)
      context.addIssue({ code: 'custom', path: ['sandbox', 'network', 'denyOut'], message: problem })
    if (spec.branch === spec.repo.base)
      context.addIssue({
        code: 'custom',
        path: ['branch'],
        message: 'is the base itself: choose another branch',
      })
  })

/** A spec as a caller writes it. */
export type AgentJobInput = z.input<typeof agentJobSpec>
/** A spec once parsed: defaults filled in, every time in milliseconds. */
export type AgentJobSpec = z.output<typeof agentJobSpec>
export type Step = z.output<typeof stepSchema>

export type SleepStep = z.output<typeof sleepStep>
export type WaitStep = z.output<typeof waitStep>
export type CommandStep = z.output<typeof runStep>

/** What a reviewer may send with `requestChanges`. */
export const changeRequest = z.strictObject({
  by: oneLine(200),
  feedback: text(16 * 1024).min(1),
  steps: stepsSchema.optional(),
})
export type ChangeRequestInput = z.input<typeof changeRequest>

/** JSON Schema (draft 2020-12) of a spec as a caller writes it, for editors. */
export const agentJobJsonSchema = (): object => z.toJSONSchema(agentJobSpec, { io: 'input' })
