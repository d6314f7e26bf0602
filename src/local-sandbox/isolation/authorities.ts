// What su and sudo read, whoever's program they are: `user` may become root without a password, as in E2B.

const kept =
  'HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy NODE_EXTRA_CA_CERTS SSL_CERT_FILE CURL_CA_BUNDLE GIT_SSL_CAINFO REQUESTS_CA_BUNDLE'
const permit = (type: string) => `${type} required pam_permit.so\n`

/** Files of /etc, with the modes that are insisted on. */
export const authorities: [name: string, mode: number, content: string][] = [
  [
    'sudoers',
    0o440,
    `Defaults env_keep += "${kept}"\nroot ALL=(ALL:ALL) ALL\nuser ALL=(ALL:ALL) NOPASSWD: ALL\n`,
  ],
  ['shadow', 0o640, 'root:*:19000:0:99999:7:::\nuser:*:19000:0:99999:7:::\n'],
  ['pam.d/other', 0o644, ['auth', 'account', 'password', 'session'].map(permit).join('')],
  [
    'pam.d/su',
    0o644,
    `auth sufficient pam_rootok.so\nauth required pam_deny.so\n${permit('account')}${permit('session')}`,
  ],
]
