import { execa } from 'execa'

/** Git by the repository alone: no user's or system's configuration, no outer repository, no prompt. */
export const CLEAN_GIT_ENV: Record<string, string | undefined> = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_DIR: undefined,
  GIT_WORK_TREE: undefined,
  GIT_INDEX_FILE: undefined,
  GIT_OBJECT_DIRECTORY: undefined,
}

/**
 * Runs git and returns its output without the last line end.
 *
 * @throws ExecaError with git's message where it fails
 */
export async function git(cwd: string, args: string[], input?: string): Promise<string> {
  const { stdout } = await execa('git', args, {
    cwd,
    env: CLEAN_GIT_ENV,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  })
  return stdout
}
