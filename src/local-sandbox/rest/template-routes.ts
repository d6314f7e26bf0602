import { badRequest } from '../errors.ts'
import { HttpError, sendJson } from '../http.ts'
import type { Limits } from '../isolation/limits.ts'
import type { Registry } from '../sandboxes/registry.ts'
import { checkTag, defaultTag, namespace, parseName } from '../templates/name.ts'
import { withTags, type Template } from '../templates/template.ts'
import type { Templates } from '../templates/templates.ts'
import { check, readBody } from './body.ts'
import { pageOf } from './paging.ts'
import type { Routes } from './routes.ts'
import { assignTagsBody, pageQuery, removeTagsBody } from './schemas.ts'
import { envdVersion, toSize } from './shapes.ts'

/** Looking up, listing and deleting templates; a snapshot is one too. */
export function templateRoutes(registry: Registry, templates: Templates): Routes {
  return {
    'GET /templates/aliases/:name': async ({ response, params }) => {
      const name = params['name']!
      if (templates.isBuiltIn(name))
        return sendJson(response, 200, { templateID: parseName(name).name, public: true })
      sendJson(response, 200, { templateID: templates.get(name).templateID, public: false })
    },

    'GET /templates': async ({ response }) =>
      sendJson(
        response,
        200,
        templates.all().map((template) => toTemplate(template, registry.limits)),
      ),

    'GET /v2/templates': async ({ response, query }) => {
      const wanted = check(pageQuery, Object.fromEntries(query))
      const page = pageOf(templates.all(), ({ templateID }) => templateID, wanted)
      if (page.nextToken) response.setHeader('x-next-token', page.nextToken)
      sendJson(
        response,
        200,
        page.items.map((template) => toTemplate(template, registry.limits)),
      )
    },

    'POST /templates/tags': async ({ request, response }) => {
      const { target, tags } = await readBody(request, assignTagsBody)
      for (const tag of tags) checkTag(tag)
      const template = templates.get(target)
      const wanted = parseName(target).tag ?? defaultTag
      const buildID = template.tags.find(({ tag }) => tag === wanted)?.buildID
      if (buildID === undefined)
        throw new HttpError(404, `template '${target}' not found: it has no such tag`)
      await templates.change(template.templateID, (now) => withTags(now, buildID, tags))
      sendJson(response, 201, { buildID, tags })
    },

    'DELETE /templates/tags': async ({ request, response }) => {
      const { name, tags } = await readBody(request, removeTagsBody)
      await templates.removeTags(templates.get(name), tags)
      response.writeHead(204).end()
    },

    'GET /templates/:name/tags': async ({ response, params }) =>
      sendJson(response, 200, templates.get(params['name']!).tags),

    'DELETE /templates/:name': async ({ response, params }) => {
      const name = params['name']!
      if (templates.isBuiltIn(name)) throw new HttpError(403, `template '${name}' is built in; it stays`)
      const template = templates.get(name)
      const { templateID, tags } = template
      const user = registry
        .all()
        .find(({ state, record }) => state === 'paused' && record.templateID === templateID)
      if (user)
        throw badRequest(
          `cannot delete template '${templateID}' because there are paused sandboxes using it: ${user.id}`,
        )
      const { tag } = parseName(name)
      await templates.removeTags(template, tag === undefined ? tags.map(({ tag }) => tag) : [tag])
      response.writeHead(204).end()
    },
  }
}

/** `Template`. */
function toTemplate({ name, tags, builds, templateID, ...template }: Template, limits: Limits) {
  const { createdAt, updatedAt, lastSpawnedAt, spawnCount } = template
  return {
    templateID,
    buildID: tags.at(-1)!.buildID,
    buildStatus: 'ready',
    buildCount: builds.length,
    public: false,
    aliases: name === undefined ? [] : [name],
    names: name === undefined ? [] : [`${namespace}/${name}`],
    createdAt,
    updatedAt,
    lastSpawnedAt,
    spawnCount,
    createdBy: null,
    envdVersion,
    ...toSize(limits),
  }
}
