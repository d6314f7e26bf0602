import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from 'yaml'

/** Where something stands in a text; both count from 1. */
export interface Position {
  line: number
  column: number
}

/**
 * Where a field stands: `steps[0].run` by its key, `steps[0]` by the item's first character. A field that isn't there
 * stands where its parent does; undefined where that is the whole document.
 */
export function positionOf(document: Document, lines: LineCounter, field: string): Position | undefined {
  let node: Node | undefined = document.contents ?? undefined
  let offset: number | undefined
  let rest = field
  while (node && rest !== '') {
    const found = child(isAlias(node) ? node.resolve(document) : node, rest)
    if (!found) break
    offset = found.offset ?? offset
    node = found.node
    rest = found.rest
  }
  if (offset === undefined) return undefined
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

interface Child {
  node: Node | undefined
  offset: number | undefined
  rest: string
}

function child(node: Node | undefined, path: string): Child | undefined {
  if (isSeq<Node>(node)) {
    const index = /^\[(\d+)\]\.?/.exec(path)
    const item = index && node.items[Number(index[1])]
    return item ? { node: item, offset: item.range?.[0], rest: path.slice(index[0].length) } : undefined
  }
  if (!isMap<Node, Node>(node)) return undefined
  // A key may hold the path's own signs (an environment variable named A.B): the longest that fits is meant.
  const fitting = node.items
    .filter(({ key }) => isScalar(key) && startsPath(path, String(key.value)))
    .toSorted((a, b) => keyText(b.key).length - keyText(a.key).length)[0]
  if (!fitting) return undefined
  const rest = path.slice(keyText(fitting.key).length).replace(/^\./, '')
  return { node: fitting.value ?? undefined, offset: fitting.key.range?.[0], rest }
}

const keyText = (key: Node): string => (isScalar(key) ? String(key.value) : '')

const startsPath = (path: string, key: string): boolean =>
  path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`)
