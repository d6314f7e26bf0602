export interface Route {
  /** Repository name, e.g. `acme/web`. */
  repository: string
  service: 'git-upload-pack' | 'git-receive-pack'
  /** The part of the path that `git http-backend` reads. */
  pathInfo: string
  query: string
}

const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/

/** Whether a repository name is one or more plain path segments; `..` and hidden names are not. */
export function isRepositoryName(name: string): boolean {
  return name.split('/').every((segment) => SEGMENT.test(segment))
}

/** Reads a request of git's smart HTTP protocol; undefined where it is none. */
export function routeOf(method: string | undefined, target: string | undefined): Route | undefined {
  const url = new URL(target ?? '/', 'http://localhost')
  const [, repository, endpoint] =
    /^\/(.+)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/.exec(url.pathname) ?? []
  if (repository === undefined || endpoint === undefined || !isRepositoryName(repository)) return undefined
  const advertisement = endpoint === 'info/refs'
  if (method !== (advertisement ? 'GET' : 'POST')) return undefined
  const service = advertisement ? url.searchParams.get('service') : endpoint
  if (service !== 'git-upload-pack' && service !== 'git-receive-pack') return undefined
  return { repository, service, pathInfo: url.pathname, query: url.search.slice(1) }
}
