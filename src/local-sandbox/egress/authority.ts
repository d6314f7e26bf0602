import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const days = (count: number) => new Date(Date.now() + count * 24 * 3600_000)
const hostBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
]

/** A server's own certificate authority, which its sandboxes trust, for requests whose headers it sets. */
export interface Authority {
  /** Certificate and key for a host, for a week. */
  issue(host: string): Promise<{ cert: string; key: string }>
}

/**
 * The authority kept in `folder`, made on first use. The key stays there; `trustFolder`, which sandboxes see, gets its
 * certificate behind those roots of the host that Node doesn't know (`extra.crt`), and behind all of them (`roots.crt`).
 */
export async function openAuthority(folder: string, trustFolder: string): Promise<Authority> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await mkdir(trustFolder, { recursive: true, mode: 0o755 })
  const path = join(folder, 'authority.pem')
  const kept = await readFile(path, 'utf8').catch(() => undefined)
  const pem = kept ?? (await makeAuthority(path))
  const certificate = pem.slice(pem.indexOf('-----BEGIN CERTIFICATE-----'))
  const roots = await hostRoots()
  await writeFile(join(trustFolder, 'extra.crt'), [...unknownToNode(roots), certificate].join('\n'), {
    mode: 0o644,
  })
  await writeFile(join(trustFolder, 'roots.crt'), `${roots}\n${certificate}`, { mode: 0o644 })
  return { issue: (host) => issue(pem, certificate, host) }
}

// Key and certificate in one file, so that there's never one without the other.
async function makeAuthority(path: string): Promise<string> {
  const { X509CertificateGenerator, BasicConstraintsExtension, KeyUsagesExtension, KeyUsageFlags } =
    await x509()
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    // Its own for each, since a machine may have several to trust.
    name: `CN=Holdfast sandbox server ${randomBytes(4).toString('hex')}`,
    notBefore: days(-1),
    notAfter: days(3650),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  const pem = `${await exported(keys.privateKey)}${certificate.toString('pem')}\n`
  await writeFile(`${path}.draft`, pem, { mode: 0o600 })
  await rename(`${path}.draft`, path)
  return pem
}

async function issue(pem: string, authority: string, host: string): Promise<{ cert: string; key: string }> {
  const {
    X509Certificate,
    X509CertificateGenerator,
    SubjectAlternativeNameExtension,
    ExtendedKeyUsageExtension,
  } = await x509()
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
  const issuer = new X509Certificate(authority)
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    issuer: issuer.subject,
    notBefore: days(-1),
    notAfter: days(7),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'dns', value: host }], true),
      new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1']),
    ],
  })
  return { cert: certificate.toString('pem'), key: await exported(keys.privateKey) }
}

async function exported(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()
}

async function hostRoots(): Promise<string> {
  for (const path of hostBundles) {
    const bundle = await readFile(path, 'utf8').catch(() => undefined)
    if (bundle !== undefined) return bundle
  }
  return rootCertificates.join('\n')
}

/** A company's own, mostly. Node would read all of a bundle at each start, so it gets only these. */
function unknownToNode(bundle: string): string[] {
  const body = (pem: string): string => pem.replaceAll(/-----[A-Z ]+-----|\s/g, '')
  const known = new Set(rootCertificates.map(body))
  const all = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return all.filter((pem) => !known.has(body(pem)))
}

// Positive, as certificates want it.
const serial = () => `4${randomBytes(15).toString('hex').slice(1)}`

// Takes 100 ms to load, and few servers ever need it.
async function x509() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}
