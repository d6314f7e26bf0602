import type { Logger } from 'pino'
import { sendJson } from '../http.ts'
import { defaultTag, namespace, parseName, type TemplateName } from '../templates/name.ts'
import type { Template } from '../templates/template.ts'
import type { Templates } from '../templates/templates.ts'
import type { Registry } from '../sandboxes/registry.ts'
import { check, readBody } from './body.ts'
import { checkTimeout, defaultSeconds } from './create.ts'
import { pageOf } from './paging.ts'
import type { Routes } from './routes.ts'
import { forkBody, snapshotBody, snapshotsQuery } from './schemas.ts'
import { toSandbox } from './shapes.ts'

/** Snapshots, and forks: snapshots that aren't kept. */
export function snapshotRoutes(registry: Registry, templates: Templates, log: Logger): Routes {
  return {
    'POST /sandboxes/:id/snapshots': async ({ request, response, id }) => {
      const body = await readBody(request, snapshotBody)
      const { name, tag = defaultTag } = body.name === undefined ? { name: undefined } : parseName(body.name)
      const sandbox = registry.get(id)
      const { envVars, workdir, start } = sandbox.record
      const wish = { name, tags: [tag], sandboxID: id, envVars, workdir, start }
      const template = await templates.addBuild(wish, (folder) => sandbox.saveDisk(folder))
      if (body.memory !== false)
        log.info({ sandboxId: id }, 'snapshot of the disk alone: this isolation has no memory of processes')
      sendJson(response, 201, toSnapshot(template, tag))
    },

    'GET /snapshots': async ({ response, query }) => {
      const { sandboxID, name, limit, nextToken } = check(snapshotsQuery, Object.fromEntries(query))
      const found = snapshots(templates.all())
        .filter(({ build }) => sandboxID === undefined || build.sandboxID === sandboxID)
        .filter(({ template, tag }) => name === undefined || isNamed(template, tag, parseName(name)))
      const page = pageOf(found, ({ template, tag }) => `${template.templateID}:${tag}`, { limit, nextToken })
      if (page.nextToken) response.setHeader('x-next-token', page.nextToken)
      sendJson(
        response,
        200,
        page.items.map(({ template, tag }) => toSnapshot(template, tag)),
      )
    },

    'POST /sandboxes/:id/fork': async ({ request, response, id }) => {
      const { timeout = defaultSeconds, count = 1 } = await readBody(request, forkBody)
      const forks = await registry.fork(id, checkTimeout(timeout), count)
      const results = forks.map((fork) =>
        fork.status === 'fulfilled'
          ? { sandbox: toSandbox(fork.value) }
          : { error: { code: 500, message: (fork.reason as Error).message } },
      )
      sendJson(response, 201, results)
    },
  }
}

/** Newest first. */
function snapshots(templates: Template[]) {
  return templates
    .flatMap((template) => template.tags.map((tag) => ({ template, ...tag })))
    .map((tag) => ({ ...tag, build: tag.template.builds.find(({ buildID }) => buildID === tag.buildID)! }))
    .filter(({ build }) => build.sandboxID !== undefined)
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
}

const isNamed = (template: Template, tag: string, wanted: TemplateName) =>
  [template.name, template.templateID].includes(wanted.name) && [undefined, tag].includes(wanted.tag)

/** `SnapshotInfo`. */
function toSnapshot({ templateID, name }: Template, tag: string) {
  const full = name === undefined ? templateID : `${namespace}/${name}`
  return { snapshotID: `${full}:${tag}`, names: name === undefined ? [] : [full] }
}
