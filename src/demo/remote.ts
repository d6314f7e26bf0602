import { execa } from 'execa'
import { CLEAN_GIT_ENV } from './git.ts'

/** What the remote's branch points to, asked of the remote itself; null where there is no such branch. */
export async function remoteHead(url: string, branch: string, token: string): Promise<string | null> {
  const { stdout } = await execa('git', ['ls-remote', '--heads', url, `refs/heads/${branch}`], {
    env: {
      ...CLEAN_GIT_ENV,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.extraHeader',
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`,
    },
  })
  return stdout.split('\t')[0] || null
}
