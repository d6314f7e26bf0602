import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isMaskable, Mask, MaskedStream } from '../../src/activities/lib/mask.ts'
import { forbiddenUse, rulesOf } from '../../src/activities/lib/secret-policy.ts'
import { createSecretStore } from '../../src/activities/lib/secrets.ts'
import { folderSecret, folderSecrets } from '../../src/runtime/secrets.ts'

/** Few letters, so that secrets repeat and overlap themselves, each other and what is around them. */
const letters = fc.string({ unit: fc.constantFrom('a', 'b', '+', '"', 'é'), maxLength: 30 })
const value = fc.string({ unit: fc.constantFrom('a', 'b', '+', '"', 'é'), minLength: 6, maxLength: 12 })
const maskOf = (...values: string[]): Mask => {
  const mask = new Mask()
  values.forEach((value) => mask.add(value))
  return mask
}
const inBase64 = (text: string): string => Buffer.from(text).toString('base64')

test('cut anywhere into pieces, a stream is masked as the whole text is', () => {
  const texts = fc.array(fc.oneof(letters, fc.constant('SECRET')), { maxLength: 8 })
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 3 }),
      texts,
      fc.infiniteStream(fc.nat(9)),
      (values, parts, cuts) => {
        const mask = maskOf(...values)
        const text = parts.map((part) => (part === 'SECRET' ? values[0] : part)).join('')
        const stream = new MaskedStream(mask)
        let [shown, at] = ['', 0]
        for (const size of cuts) {
          if (at >= text.length) break
          shown += stream.push(text.slice(at, at + size))
          at += size
        }
        shown += stream.end()
        expect(shown).toBe(mask.redact(text))
        for (const value of values) expect(shown.includes(value)).toBe(false)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('a secret is found raw, URL-encoded, in JSON, and at any place of a base64 text', () => {
  const secrets = fc.string({ minLength: 6, maxLength: 40, unit: 'grapheme' }).filter(isMaskable)

  fc.assert(
    fc.property(secrets, fc.string(), fc.string(), (secret, before, after) => {
      const mask = maskOf(secret)
      const forms = [
        secret,
        encodeURIComponent(secret),
        JSON.stringify(secret).slice(1, -1),
        inBase64(secret),
      ]
      for (const form of forms) expect(mask.redact(`<${form}>`)).toBe('<***>')
      const whole = inBase64(before + secret + after)
      expect(mask.redact(whole)).toContain('***')
      expect(mask.redact(Buffer.from(before + secret).toString('base64url'))).toContain('***')
    }),
  )
})

const TOKEN = 'github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456'

test.each(['\n', '\r\n', String.raw`\n`, String.raw`\r\n`])(
  'base64 that is broken into lines by %j has no secret left, wherever it stands in it',
  (end) => {
    for (let offset = 0; offset < 60; offset++) {
      const text = inBase64(`${'x'.repeat(offset)}${TOKEN}\n`)
      const broken = text.replaceAll(/.{76}/g, `$&${end}`)
      const shown = maskOf(TOKEN).redact(broken)
      const back = Buffer.from(shown.replaceAll(end, ''), 'base64').toString()
      expect(shown).toContain('***')
      for (let at = 0; at + 8 < TOKEN.length; at++) expect(back.includes(TOKEN.slice(at, at + 8))).toBe(false)
    }
  },
)

test('what follows a whole line need not be there for the line to be shown, unless the beginning of a secret is its end', () => {
  const mask = maskOf('e2b_0123456789')
  expect(['one', 'e2b_', 'e2b_0123'].map((end) => mask.heldBack(`a line\n${end}\n`))).toEqual([0, 0, 9])
  expect(mask.heldBack('one')).toBe(1)
})

test('a key of several lines is found in whatever ends of lines, and in JSON', () => {
  const key = '-----BEGIN KEY-----\nabcdef\nghijkl\n-----END KEY-----\n'
  const mask = maskOf(key)
  for (const text of [key, key.replaceAll('\n', '\r\n'), JSON.stringify(key).slice(1, -1)])
    expect(mask.redact(`<${text}>`)).toMatch(/^<\*\*\*[\\rn\s]*>$/)
})

test('a secret behind a backslash is found, though with it it looks like an end of a line', () => {
  for (const secret of ['newsecret', 'rosebud'])
    expect(maskOf(secret).redact(`C:\\${secret}`)).toBe(String.raw`C:\***`)
})

test.each([
  ['that of a URL', (secret: string) => Object.assign(new URL('http://h'), { password: secret }).password],
  ['that of a form', (secret: string) => new URLSearchParams({ key: secret }).toString().slice(4)],
  ["Python's quote", (secret: string) => strict(secret).replaceAll('%2F', '/')],
  ["Python's quote_plus", (secret: string) => strict(secret).replaceAll('%20', '+')],
  ['one in small letters', (secret: string) => strict(secret).replaceAll(/%../g, (hex) => hex.toLowerCase())],
])('whatever encodes it for a URL, as %s, a secret is found', (_, encode) => {
  for (const secret of ['q9+Zk/3fT0a+Bv/w==', "it's (a) ~secret~ of *ours*!", 'plain-and-simple'])
    expect(maskOf(secret).redact(`https://x:${encode(secret)}@h/`)).toBe('https://x:***@h/')
})
const strict = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )

test('at an edge that was cut no piece of a secret is left', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 12, maxLength: 40 }), letters, fc.nat(40), (secret, text, size) => {
      const mask = maskOf(secret)
      const length = 1 + (size % (secret.length - 1))
      expect(mask.redact(text + secret.slice(0, length), { end: true }).endsWith('***')).toBe(true)
      expect(mask.redact(secret.slice(-length) + text, { start: true }).startsWith('***')).toBe(true)
    }),
  )
})

test('a text without secrets stays as it is', () => {
  fc.assert(
    fc.property(letters, (text) => {
      expect(maskOf('SECRET').redact(text)).toBe(text)
    }),
  )
})

describe('which uses are allowed', () => {
  const rules = [
    { secret: 'GIT_TOKEN', urls: ['https://git.example/acme/'] },
    { secret: '*', urls: ['https://open.example/'] },
  ]
  test.each([
    ['GIT_TOKEN', 'https://git.example/acme/web.git', true],
    ['GIT_TOKEN', 'https://GIT.example:443/acme/web.git', true],
    ['OTHER', 'https://open.example/a', true],
    ['OTHER', 'https://git.example/acme/web.git', false],
    ['GIT_TOKEN', 'https://git.example/acme-evil/web.git', false],
    ['GIT_TOKEN', 'https://git.example/acme/../evil/web.git', false],
    ['GIT_TOKEN', 'https://git.example/acme/%2e%2e/evil/web.git', false],
    ['GIT_TOKEN', 'https://git.example/acme/..%2fevil/web.git', false],
    ['GIT_TOKEN', 'http://git.example/acme/web.git', false],
    ['GIT_TOKEN', 'https://git.example.evil/acme/web.git', false],
  ])('%s for %s: %s', (name, url, allowed) => {
    expect(forbiddenUse(rules, name, url) === undefined).toBe(allowed)
  })

  test('a rule of one deployment or task queue is none for workers of another', () => {
    const rules = [
      { secret: 'A', urls: [] },
      { secret: 'B', urls: [], owners: ['ours'] },
      { secret: 'C', urls: [], taskQueues: ['release'] },
      { secret: 'D', urls: [], owners: ['ours'], taskQueues: ['release'] },
    ]
    const named = (owner: string, taskQueue: string): string =>
      rulesOf(rules, { owner, taskQueue })
        .map(({ secret }) => secret)
        .join('')
    expect([named('ours', 'release'), named('ours', 'other'), named('theirs', 'release')]).toEqual([
      'ABCD',
      'AB',
      'AC',
    ])
    expect(named('theirs', 'other')).toBe('A')
  })

  test('without rules every use is, and with none no use', () => {
    expect(forbiddenUse(undefined, 'A', 'https://a.example/')).toBeUndefined()
    expect(forbiddenUse([], 'A', 'https://a.example/')).toMatch(/A may not be used for https:\/\/a\.example/)
  })
})

describe('the store', () => {
  const url = 'https://git.example/acme/web.git'
  const typeOf = (type: string): unknown => expect.objectContaining({ type })

  test('asks one provider after the other, and masks what it gave', () => {
    const store = createSecretStore([() => undefined, (name) => `value-of-${name}`])
    expect(store.redact('value-of-A')).toBe('value-of-A')
    expect(store.resolve('A', url)).toBe('value-of-A')
    expect(store.redact('it is value-of-A.')).toBe('it is ***.')
  })

  test.each([
    ['forbidden', { rules: [] }, 'a-long-value', 'SecretForbidden'],
    ['unknown', {}, undefined, 'SecretMissing'],
    ['too short to be masked', {}, 'short', 'SecretMissing'],
  ])('refuses a secret that is %s', (_, options, value, type) => {
    const store = createSecretStore([() => value], options)
    expect(() => store.resolve('A', url)).toThrow(typeOf(type))
  })
})

test('a folder is read at each use: a rotated secret is taken up', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const lookup = folderSecret(folder)
  expect(lookup('TOKEN')).toBeUndefined()
  await writeFile(join(folder, 'TOKEN'), 'first\n')
  expect(lookup('TOKEN')).toBe('first')
  await writeFile(join(folder, 'TOKEN'), 'second')
  expect([lookup('TOKEN'), folderSecrets(folder)]).toEqual(['second', ['second']])
})
