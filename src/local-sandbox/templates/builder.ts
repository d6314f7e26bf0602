import { randomUUID } from 'node:crypto'
import { EnvdClient } from '../sandboxes/envd-client.ts'
import type { Registry } from '../sandboxes/registry.ts'
import { BuildLog } from './build-log.ts'
import { doStep, type Step, type StepContext } from './steps.ts'
import type { Templates } from './templates.ts'

const buildTimeoutSeconds = 3600

/** A build that was asked for. */
export interface BuildRun {
  templateID: string
  buildID: string
  name: string
  tags: string[]
  status: 'waiting' | 'building' | 'ready' | 'error'
  log: BuildLog
  reason?: { message: string; step: string }
}

/** `TemplateBuildStartV2` of the control API. */
export interface BuildSpec {
  fromImage?: string | undefined
  fromTemplate?: string | undefined
  startCmd?: string | undefined
  readyCmd?: string | undefined
  steps: Step[]
}

/** Builds templates: does their steps in a sandbox, whose disk becomes the template. */
export class Builder {
  #runs = new Map<string, BuildRun>()
  #registry: Registry
  #templates: Templates

  constructor(registry: Registry, templates: Templates) {
    this.#registry = registry
    this.#templates = templates
  }

  request(name: string, tags: string[]): BuildRun {
    const templateID = this.#templates.idFor(name)
    const run: BuildRun = {
      templateID,
      buildID: randomUUID(),
      name,
      tags,
      status: 'waiting',
      log: new BuildLog(),
    }
    this.#runs.set(run.buildID, run)
    return run
  }

  find(buildID: string): BuildRun | undefined {
    return this.#runs.get(buildID)
  }

  /** Builds; how it went is told by the run alone. */
  async build(run: BuildRun, spec: BuildSpec): Promise<void> {
    run.status = 'building'
    try {
      await this.#build(run, spec)
      run.log.add('info', 'Build finished')
      run.status = 'ready'
    } catch (error) {
      const { message } = error as Error
      run.log.add('error', `Build failed: ${message}`)
      run.reason = { message, step: run.log.step }
      run.status = 'error'
    }
  }

  async #build(
    run: BuildRun,
    { fromImage, fromTemplate, steps, startCmd, readyCmd }: BuildSpec,
  ): Promise<void> {
    const { log, templateID, buildID, name, tags } = run
    if (fromImage !== undefined)
      log.add('warn', `FROM ${fromImage}: there is no image here but the one base, which is used instead`)
    const origin = await this.#templates.spawn(fromTemplate ?? 'base')
    const sandbox = await this.#registry.create(
      {
        ...origin,
        timeout: buildTimeoutSeconds,
        metadata: {},
        autoPause: false,
        autoPauseMemory: false,
        autoResume: false,
        allowInternetAccess: undefined,
        network: {},
        building: true,
      },
      origin.disk,
    )
    try {
      const envd = new EnvdClient(sandbox.machine.socketPath)
      const files = (hash: string) => this.#templates.filesPath(templateID, hash)
      let context: StepContext = { envVars: origin.envVars, workdir: origin.workdir, user: undefined }
      for (const [index, step] of steps.entries()) {
        log.enter(String(index + 1))
        log.add('info', `[${index + 1}/${steps.length}] ${step.type} ${step.args.join(' ')}`)
        context = await doStep(step, context, { envd, log, files })
      }
      log.enter('finalize')
      const start =
        startCmd || readyCmd ? { command: startCmd || undefined, ready: readyCmd || undefined } : origin.start
      const { envVars, workdir } = context
      await this.#templates.addBuild(
        { name, tags, envVars, workdir, start, sandboxID: undefined },
        (folder) => sandbox.saveDisk(folder),
        buildID,
      )
    } finally {
      await sandbox.kill().catch(() => undefined)
    }
  }
}
