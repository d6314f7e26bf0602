import { expect, test } from 'vitest'
import { publicUrl } from '../../src/activities/lib/public-url.ts'

test.each([
  ['on the E2B cloud', {}, {}, 'https://3000-i3x.e2b.app/'],
  ['with a domain of its own', { domain: 'e2b.example' }, {}, 'https://3000-i3x.e2b.example/'],
  [
    'where the sandbox names its domain',
    { domain: 'e2b.example' },
    { sandboxDomain: 'eu.e2b.example' },
    'https://3000-i3x.eu.e2b.example/',
  ],
  [
    'on a server of this machine',
    { sandboxUrl: 'http://127.0.0.1:4999' },
    {},
    'http://3000-i3x.localhost:4999/',
  ],
  ['by IPv6', { sandboxUrl: 'http://[::1]:4999' }, {}, 'http://3000-i3x.localhost:4999/'],
  [
    'on a server elsewhere',
    { sandboxUrl: 'https://sandbox.e2b.example', domain: 'e2b.example' },
    {},
    'https://3000-i3x.e2b.example/',
  ],
])('%s a port is reached by its public name', (_where, config, sandbox, url) => {
  expect(publicUrl(config, { sandboxId: 'i3x', ...sandbox }, 3000)).toBe(url)
})
