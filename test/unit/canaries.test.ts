import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { filesWith } from '../support/canaries.ts'

const CANARY = `canary-${randomUUID()}`
const CONTENT = `${'what stands before it\n'.repeat(20)}${CANARY}\n`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-canaries-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const sh = (script: string, at: string) =>
  execa('sh', ['-ec', script], {
    cwd: at,
    env: {
      CONTENT,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@b.invalid',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@b.invalid',
    },
  })

const COMMIT = 'git init -q r && cd r && printf %s "$CONTENT" >f && git add f && git commit -qm m'

const FORMS: [string, (at: string) => Promise<unknown>][] = [
  ['plain', (at) => writeFile(join(at, 'f'), CONTENT)],
  ['base64', (at) => writeFile(join(at, 'f'), Buffer.from(CONTENT).toString('base64'))],
  ['gzip', (at) => writeFile(join(at, 'f'), gzipSync(CONTENT))],
  ['deflate', (at) => writeFile(join(at, 'f'), deflateSync(CONTENT))],
  [
    'gzip, cut off',
    (at) =>
      writeFile(join(at, 'f'), gzipSync(CONTENT + randomBytes(9_000).toString('hex')).subarray(0, -4_000)),
  ],
  ['gzip of base64', (at) => writeFile(join(at, 'f'), gzipSync(Buffer.from(CONTENT).toString('base64')))],
  [
    'a tar.gz of a gzip',
    (at) => sh('printf %s "$CONTENT" | gzip >in.gz && tar -czf out.tar.gz in.gz && rm in.gz', at),
  ],
  ["git's loose object", (at) => sh(`${COMMIT} && rm f`, at)],
  ["git's pack", (at) => sh(`${COMMIT} && git gc -q && rm f`, at)],
  [
    "git's pack, cut in two as a difference to another object",
    async (at) => {
      const other = `${randomBytes(9_000).toString('hex')}\nbegins with ${CANARY.slice(0, 9)}, and goes on\n`
      await writeFile(join(at, 'other'), other)
      await writeFile(join(at, 'f'), other.replace(', and goes on', CANARY.slice(9)))
      await sh(
        'git init -q r && mv f other r && cd r && git add . && git commit -qm m && git repack -qadf && rm f other && git verify-pack -v .git/objects/pack/*.idx | grep -q "chain length = 1"',
        at,
      )
    },
  ],
  ["git's bundle", (at) => sh(`${COMMIT} && git bundle create -q ../b HEAD && cd .. && rm -r r`, at)],
]

/** Node 20 has no zstd, and no library of ours makes zips: these were made by the programs of that name. */
const FIXED = 'canary-of-a-fixed-name'
const MADE: [string, string][] = [
  [
    'zstd',
    'KLUv/WTdBpUGAGLNJRdw2QFQ+kPpD6WP//8am5IyN/ngCpg4OIDhCE9QGJlyBEJwQIE2CY9AAP7M/+LT14WwH+d3w//01Mi7mx79pedbZXV/T1bIrx1HXQj3vyNs/tzddt50jqu6/67q6/yp8f2DzNwK82E+9O3MuL0N81ljdi7H+OsKpEOgwmmb0LjJuCBHRY61OG2XQYd7MGgaHEMoluSMpApPqDEcvD32M8CdAxEgBP8KX0AEfjhAYw9xRlBs2YTxN8iKAgcFm02QBV/mkqsaEIIQQdOqqgCpCgGSQUo=',
  ],
  [
    'zip',
    'UEsDBBQAAAAIAC4deF1+OVPbNAAAAM8BAAABAAAAZivPSCxRKC5JzEspVkhKTcsvSlXILOEqHxUd5KLJiXmJRZW6+Wm6ibppmRWpKbp5ibmpXABQSwECHgMUAAAACAAuHXhdfjlT2zQAAADPAQAAAQAAAAAAAAABAAAApIEAAAAAZlBLBQYAAAAAAQABAC8AAABTAAAAAAA=',
  ],
]

test.each(MADE)('a canary is found in %s', async (_, base64) => {
  const at = await mkdtemp(join(folder, 'form-'))
  const packed = Buffer.from(base64, 'base64')
  expect(packed.includes(FIXED)).toBe(false)
  await writeFile(join(at, 'f'), Buffer.concat([randomBytes(10), packed, randomBytes(10)]))
  expect(await filesWith([FIXED], [at])).toHaveLength(1)
})

test.each(FORMS)('a canary is found in %s', async (_, plant) => {
  const at = await mkdtemp(join(folder, 'form-'))
  await plant(at)
  const found = await filesWith([CANARY], [at])
  expect(found.length).toBeGreaterThan(0)
  expect(await filesWith([`canary-${randomUUID()}`], [at])).toEqual([])
})
