import { badRequest } from '../errors.ts'

/** The one namespace here, where the platform has one for each team. */
export const namespace = 'local'
export const defaultTag = 'default'

/** `[namespace/]name[:tag]`; the name may as well be a template's id. */
export interface TemplateName {
  name: string
  tag: string | undefined
}

/** Throws HttpError 400 for a malformed tag. */
export function checkTag(tag: string): void {
  if (!/^[\w.-]+$/.test(tag))
    throw badRequest(`tag '${tag}': is malformed; use letters, digits, '.', '_', '-'`)
}

/** Throws HttpError 400 where it is malformed, or of another namespace. */
export function parseName(text: string): TemplateName {
  const [, before, name = '', tag] = /^(?:([^/:]+)\/)?([\w-]+)(?::([\w.-]+))?$/.exec(text) ?? []
  if (!name) throw badRequest(`template '${text}': is malformed; give a name, with ':tag' where it has tags`)
  if (before !== undefined && before !== namespace)
    throw badRequest(`template '${text}': is of another namespace; there is only '${namespace}' here`)
  return { name: name.toLowerCase(), tag }
}
