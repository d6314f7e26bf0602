import type { EnvdClient } from '../sandboxes/envd-client.ts'
import type { BuildLog } from './build-log.ts'

/** `TemplateStep` of the control API. */
export interface Step {
  type: string
  args: string[]
  filesHash?: string | undefined
}

/** What steps change for those after them, and for sandboxes of the template. */
export interface StepContext {
  envVars: Record<string, string>
  workdir: string | undefined
  user: string | undefined
}

/** A step that can't be done; the message is the client's. */
export class StepError extends Error {}

// As in a Dockerfile: of a folder its content is copied; a file goes into `dest` where that ends with a slash, is a
// folder, or several files match.
const copyScript = `
set -e
case $dest in /*) ;; *) dest=$PWD/$dest ;; esac
files=$(mktemp -d)
trap 'rm -rf "$files" "$archive"' EXIT
tar -xf "$archive" -C "$files"
cd "$files"
IFS=
set -- $src
[ -e "$1" ] || { echo "COPY: nothing matches $src" >&2; exit 1; }
case $dest in */) into=yes ;; esac
[ $# -eq 1 ] || into=yes
for path; do
  [ -z "$mode" ] || chmod -R "$mode" "$path"
  if [ -d "$path" ]; then mkdir -p "$dest" && cp -a "$path/." "$dest"
  elif [ -n "$into" ]; then mkdir -p "$dest" && cp -a "$path" "$dest/"
  else mkdir -p "$(dirname "$dest")" && cp -a "$path" "$dest"; fi
done`

/** Does one step in the sandbox of a build, and resolves to the context of the next. Throws StepError. */
export async function doStep(
  { type, args, filesHash }: Step,
  context: StepContext,
  { envd, log, files }: { envd: EnvdClient; log: BuildLog; files: (hash: string) => string },
): Promise<StepContext> {
  const { envVars, workdir: cwd } = context
  const shell = async (command: string, user = context.user, extra = {}) => {
    const output = log.lines()
    const envs = { ...envVars, ...extra }
    const code = await envd.run(command, { cwd, envs, user, onOutput: output.write })
    output.end()
    if (code !== 0) throw new StepError(`${type} failed with exit code ${code}`)
  }
  const [first = '', second = '', third = '', fourth = ''] = args
  switch (type) {
    case 'RUN':
      await shell(first, second || undefined)
      return context
    case 'COPY': {
      if (filesHash === undefined) throw new StepError('COPY: filesHash is missing')
      const archive = `/tmp/copy-${filesHash}.tar`
      await envd.upload(files(filesHash), archive)
      await shell(copyScript, third || undefined, { src: first, dest: second, mode: fourth, archive })
      return context
    }
    case 'ENV': {
      const pairs = Array.from({ length: args.length / 2 }, (_, i) => [args[2 * i], args[2 * i + 1]])
      return { ...context, envVars: { ...envVars, ...(Object.fromEntries(pairs) as Record<string, string>) } }
    }
    case 'WORKDIR':
      await shell('mkdir -p "$dir"', undefined, { dir: first })
      return { ...context, workdir: first.startsWith('/') ? first : `${cwd ?? '~'}/${first}` }
    case 'USER':
      await shell('true', first)
      return { ...context, user: first }
    default:
      throw new StepError(
        `${type}: steps of this type aren't offered; there is RUN, COPY, ENV, WORKDIR, USER`,
      )
  }
}
