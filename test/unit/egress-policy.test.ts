import { describe, expect, test } from 'vitest'
import { checkPolicy, decide, isPrivate, type EgressPolicy } from '../../src/local-sandbox/egress/policy.ts'

const open: EgressPolicy = { allowInternetAccess: true, allowOut: [], denyOut: [] }
const all = '0.0.0.0/0'
const only = (...allowOut: string[]): EgressPolicy => ({ ...open, allowOut, denyOut: [all] })
const site = { host: 'api.example.com', port: 443, addresses: ['93.184.216.34'] }
const to = (host: string, ...addresses: string[]) => ({
  host,
  port: 443,
  addresses: addresses.length > 0 ? addresses : [host],
})

describe('decide', () => {
  test.each<[string, EgressPolicy, typeof site, boolean]>([
    ['anything public, by default', open, site, true],
    ['nothing without internet access', { ...open, allowInternetAccess: false }, site, false],
    [
      'what is allowed, without internet access',
      { ...open, allowInternetAccess: false, allowOut: ['api.example.com'] },
      site,
      true,
    ],
    ['nothing where all is denied', only(), site, false],
    ['a domain that is allowed', only('api.example.com'), site, true],
    [
      'a domain whatever its case and final dot',
      only('API.example.com'),
      to('api.EXAMPLE.com.', '93.184.216.34'),
      true,
    ],
    ['a wildcard domain', only('*.example.com'), site, true],
    ['not the wildcard domain itself', only('*.example.com'), to('example.com', '93.184.216.34'), false],
    ['not a domain that ends alike', only('*.example.com'), to('badexample.com', '93.184.216.34'), false],
    [
      'not a domain that holds another',
      only('example.com'),
      to('example.com.evil.test', '93.184.216.34'),
      false,
    ],
    ['an address that is allowed', only('93.184.216.34'), to('93.184.216.34'), true],
    ['a name by its address', only('93.184.0.0/16'), site, true],
    ['not an address outside the block', only('93.185.0.0/16'), site, false],
    ['not an address that is denied', { ...open, denyOut: ['93.184.216.34'] }, site, false],
    ['not an address in a denied block', { ...open, denyOut: ['93.184.0.0/16'] }, site, false],
    [
      'an address allowed within a denied block',
      { ...open, denyOut: ['93.184.0.0/16'], allowOut: ['93.184.216.34'] },
      site,
      true,
    ],
    ['no IPv6 where all is denied', only(), to('2606:2800:220:1::1'), false],
    ['not a name without addresses', open, { host: 'nowhere.test', port: 443, addresses: [] }, false],
    ['not the host by address', open, to('127.0.0.1'), false],
    ['not a name for the host (rebinding)', open, to('rebind.test', '127.0.0.1'), false],
    [
      'not the host even where it is allowed',
      only('127.0.0.1', 'rebind.test'),
      to('rebind.test', '127.0.0.1'),
      false,
    ],
    ['not a private network', open, to('10.1.2.3'), false],
    ['not the metadata service', open, to('169.254.169.254'), false],
    ['not the host as IPv4 in IPv6', open, to('::ffff:127.0.0.1'), false],
    ['not the host in hexadecimal', open, to('0x7f.1', '127.0.0.1'), false],
    ['not the host as one number', open, to('2130706433', '127.0.0.1'), false],
    ['not the host by its name with a final dot', open, to('LocalHost.', '127.0.0.1', '::1'), false],
    ['not a link-local address with its interface', open, to('fe80::1%lo'), false],
    [
      'not a name with a zero byte',
      only('*.example.com'),
      to('evil.test\0.example.com', '93.184.216.34'),
      false,
    ],
    ['not a name with a user before it', open, to('user@api.example.com', '93.184.216.34'), false],
    [
      'not a name written otherwise than allowed',
      only('xn--bcher-kva.example'),
      to('b\u00fccher.example', '93.184.216.34'),
      false,
    ],
    [
      'a name in punycode that is allowed',
      only('xn--bcher-kva.example'),
      to('XN--bcher-kva.example', '93.184.216.34'),
      true,
    ],
    [
      'not a denied address that a name has',
      { ...open, denyOut: ['93.184.216.34'] },
      to('other.test', '93.184.216.34'),
      false,
    ],
  ])('%s', (_name, policy, target, allowed) => {
    expect(decide(policy, target, []).allowed).toBe(allowed)
  })

  test('of several addresses only one that may be reached is used', () => {
    const target = to('mixed.test', '127.0.0.1', '10.0.0.1', '93.184.216.34')
    expect(decide(open, target, [])).toEqual({ allowed: true, addresses: ['93.184.216.34'], byName: false })
  })

  test('a public address of this very host is refused, unless the operator named it', () => {
    const own = '93.184.216.34'
    expect(decide(open, to(own), [], [own]).allowed).toBe(false)
    expect(decide(open, to(own), [`${own}:443`], [own]).allowed).toBe(true)
  })

  test.each([
    '2a01:4f8::1',
    '2a01:04f8::1',
    '2A01:4F8::1',
    '2a01:4f8:0:0:0:0:0:1',
    '2a01:4f8::0.0.0.1',
    '2a01:04f8:0000:0000:0000:0000:0000:0001',
  ])('an IPv6 address of this very host is refused, spelled %s', (own) => {
    expect(decide(open, to(own), [], ['93.184.216.34', '2a01:4f8::1', 'fe80::1']).allowed).toBe(false)
    expect(decide(open, to('2a01:4f8::2'), [], ['93.184.216.34', '2a01:4f8::1']).allowed).toBe(true)
  })

  test.each([
    ['127.0.0.1:3000', '127.0.0.1', 3000, true],
    ['127.0.0.1:3000', '127.0.0.1', 3001, false],
    ['127.0.0.1:3000', 'localhost', 3000, false],
  ])('with %s allowed of the host, %s port %i is %s', (named, host, port, allowed) => {
    expect(decide(open, { host, port, addresses: ['127.0.0.1'] }, [named]).allowed).toBe(allowed)
  })

  test("the sandbox's rules hold for allowed ports of the host too", () => {
    const target = { host: '127.0.0.1', port: 3000, addresses: ['127.0.0.1'] }
    expect(decide(only(), target, ['127.0.0.1:3000']).allowed).toBe(false)
    expect(decide(only('127.0.0.1'), target, ['127.0.0.1:3000']).allowed).toBe(true)
  })
})

test.each([
  ['127.8.9.1', true],
  ['172.31.255.255', true],
  ['172.32.0.1', false],
  ['192.168.1.1', true],
  ['100.64.0.1', true],
  ['8.8.8.8', false],
  ['::1', true],
  ['::', true],
  ['fd00::1', true],
  ['fe80::1', true],
  ['::ffff:7f00:1', true],
  ['::ffff:8.8.8.8', true],
  ['2606:4700::1111', false],
  ['64:ff9b::7f00:1', true],
  ['2002:7f00:1::', true],
  ['2001:0:7f00:1::', true],
  ['fec0::1', true],
  ['ff02::1', true],
  ['224.0.0.1', true],
  ['255.255.255.255', true],
  ['0.0.0.0', true],
])('isPrivate(%s) is %s', (address, expected) => {
  expect(isPrivate(address)).toBe(expected)
})

describe('checkPolicy', () => {
  test.each<[string, EgressPolicy, string | undefined]>([
    [
      'domains with the rest denied pass',
      only('github.com', '*.github.com', '8.8.8.8', '10.0.0.0/8'),
      undefined,
    ],
    [
      'a domain without internet access passes',
      { ...open, allowInternetAccess: false, allowOut: ['github.com'] },
      undefined,
    ],
    ['a domain while the rest is open is refused', { ...open, allowOut: ['github.com'] }, 'denyOut'],
    ['a denied domain is refused', { ...open, denyOut: ['github.com'] }, "network.denyOut: 'github.com'"],
    ['a bad block is refused', { ...open, denyOut: ['10.0.0.0/33'] }, '10.0.0.0/33'],
    ['a bad address is refused', only('1.2.3'), '1.2.3'],
    ['a URL is refused', only('https://github.com'), 'https'],
  ])('%s', (_name, policy, problem) => {
    expect(checkPolicy(policy) ?? 'fine').toContain(problem ?? 'fine')
  })
})
