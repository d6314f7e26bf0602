/**
 * Why git would refuse this as a branch's name (the rules of `git check-ref-format --branch`), or undefined where it
 * would not. A name that starts with a dash is refused because git would read it as an option.
 */
export function branchNameProblem(name: string): string | undefined {
  if (name.length === 0) return 'is empty'
  if (name.length > 200) return 'is longer than 200 characters'
  if (name.startsWith('-')) return 'starts with a dash, which git reads as an option'
  if (name === '@' || name === 'HEAD') return `is git's own name ${name}`
  if (/[\u0000-\u0020\u007f~^:?*[\\]/.test(name))
    return 'has a space, a control character or one of ~ ^ : ? * [ \\'
  if (name.includes('..') || name.includes('@{')) return 'has ".." or "@{"'
  if (name.startsWith('/') || name.endsWith('/') || name.includes('//'))
    return 'has an empty part between slashes'
  if (name.endsWith('.')) return 'ends with a dot'
  if (name.split('/').some((part) => part.startsWith('.') || part.endsWith('.lock')))
    return 'has a part that starts with a dot or ends with ".lock"'
  return undefined
}

/** Why this isn't a path inside a repository's working tree, or undefined where it is. */
export function repositoryPathProblem(path: string): string | undefined {
  if (path.length === 0) return 'is empty'
  if (path.length > 1024) return 'is longer than 1,024 characters'
  if (path.startsWith('/')) return 'is absolute'
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'has a control character'
  const parts = path.split('/')
  if (parts.includes('..')) return 'leaves the repository by ".."'
  if (parts.some((part) => part.toLowerCase() === '.git')) return 'is inside .git'
  if (path.endsWith('/')) return 'names a folder'
  return undefined
}
