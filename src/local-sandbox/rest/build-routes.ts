import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { badRequest } from '../errors.ts'
import { HttpError, sendJson } from '../http.ts'
import type { Builder, BuildRun } from '../templates/builder.ts'
import { checkTag, defaultTag, namespace, parseName } from '../templates/name.ts'
import type { Templates } from '../templates/templates.ts'
import { check, readBody } from './body.ts'
import type { Call, Routes } from './routes.ts'
import { buildBody, buildStatusQuery, newTemplate } from './schemas.ts'

/** Template builds: asked for, given files, started, and watched. */
export function buildRoutes(builder: Builder, templates: Templates, apiKey: string): Routes {
  const runOf = ({ params }: Call): BuildRun => {
    const run = builder.find(params['buildID']!)
    if (run?.templateID === params['templateID']) return run!
    throw new HttpError(404, `build '${params['buildID']}' not found; builds end with the server`)
  }
  const filesPath = ({ params }: Call): string => {
    const [templateID, hash] = [params['templateID']!, params['hash']!]
    if (!/^[a-z0-9]+$/.test(templateID) || !/^[a-f0-9]{64}$/.test(hash))
      throw badRequest(`files '${hash}': give the template's id and a SHA-256 in hex`)
    return templates.filesPath(templateID, hash)
  }

  return {
    'POST /v3/templates': async ({ request, response }) => {
      const body = await readBody(request, newTemplate)
      const { name, tag } = parseName(body.name ?? body.alias ?? '')
      const named = [...new Set([...(tag === undefined ? [] : [tag]), ...(body.tags ?? [])])]
      for (const tag of named) checkTag(tag)
      const tags = named.length === 0 ? [defaultTag] : named
      if (templates.isBuiltIn(name))
        throw new HttpError(403, `template '${name}' is built in; use another name`)
      const { templateID, buildID } = builder.request(name, tags)
      const names = [`${namespace}/${name}`]
      sendJson(response, 202, { templateID, buildID, names, tags, aliases: [name], public: false })
    },

    'GET /templates/:templateID/files/:hash': async (call) => {
      const path = filesPath(call)
      const present = await stat(path).then(
        () => true,
        () => false,
      )
      const url = `http://${call.request.headers.host}${call.request.url}`
      sendJson(call.response, 201, { present, url, headers: { 'X-API-Key': apiKey } })
    },

    'PUT /templates/:templateID/files/:hash': async (call) => {
      const path = filesPath(call)
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      const draft = `${path}.${randomUUID()}`
      try {
        await pipeline(call.request, createWriteStream(draft, { mode: 0o600 }))
        await rename(draft, path)
      } finally {
        await rm(draft, { force: true })
      }
      call.response.writeHead(200).end()
    },

    'POST /v2/templates/:templateID/builds/:buildID': async (call) => {
      const run = runOf(call)
      const spec = await readBody(call.request, buildBody)
      if (run.status !== 'waiting')
        throw new HttpError(409, `build '${run.buildID}' has been started already`)
      void builder.build(run, spec)
      call.response.writeHead(202, { 'content-length': 0 }).end()
    },

    'GET /templates/:templateID/builds/:buildID/status': async (call) => {
      const { templateID, buildID, status, log, reason } = runOf(call)
      const { logsOffset = 0 } = check(buildStatusQuery, Object.fromEntries(call.query))
      const logEntries = log.entries.slice(logsOffset)
      sendJson(call.response, 200, { templateID, buildID, status, logs: [], logEntries, reason })
    },
  }
}
