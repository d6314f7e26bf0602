import { partialMatch } from './partial-match.ts'

/** Shorter values can't be told from words of their own. */
export const MIN_SECRET = 6
const MASK = '***'

/** Which parts of a text were cut off, so that its edges may be pieces of a secret. */
export interface Cut {
  start?: boolean
  end?: boolean
}

/** Takes values out of texts, in every form in which a program prints them, and whatever ends of lines it puts within. */
export class Mask {
  readonly #forms = new Set<string>()

  /** Values that are too short are left alone. */
  add(value: string): void {
    if (isMaskable(value)) for (const form of formsOf(value)) this.#forms.add(form.replaceAll(BREAKS, ''))
  }

  /** The text with every value replaced by `***`; at a cut edge, also what may be a piece of one. */
  redact(text: string, { start = false, end = false }: Cut = {}): string {
    const spans = this.#spans(text)
    const tail = start ? this.#pieceAtStart(text) : 0
    const from = spans.find(([first, last]) => first < tail && tail < last)?.[1] ?? tail
    const to = Math.max(from, text.length - (end ? this.heldBack(text) : 0))
    let masked = from > 0 ? MASK : ''
    let at = from
    for (const [first, last] of spans) {
      if (first < at || last > to) continue
      masked += text.slice(at, first) + MASK
      at = last
    }
    return masked + text.slice(at, to) + (to < text.length ? MASK : '')
  }

  /**
   * How many characters at the end of a text may belong to a value that isn't all there yet. A whole line isn't kept waiting for its last
   * letters alone: each line of a program that says nothing more for now is to be seen.
   */
  heldBack(text: string): number {
    const pieces = flattened(text).map(({ flat, placeOf }) => {
      const length = longestPiece(flat, this.#forms)
      const isWholeLine = length > 0 && placeOf(flat.length - 1) + 1 < text.length
      return length > (isWholeLine ? MIN_SECRET - 1 : 0) ? placeOf(flat.length - length) : text.length
    })
    const cut = Math.min(...pieces)
    if (cut === text.length) return 0
    const across = this.#spans(text).find(([first, last]) => first < cut && cut < last)
    return text.length - (across ? across[0] : cut)
  }

  /** How many characters at the beginning of a text may be the end of a value. */
  #pieceAtStart(text: string): number {
    const pieces = flattened(text).map(({ flat, placeOf }) => {
      const length = longestPiece(reversed(flat), [...this.#forms].map(reversed))
      return length > 0 ? placeOf(length - 1) + 1 : 0
    })
    return Math.max(...pieces)
  }

  /** Where values stand, those that overlap as one. */
  #spans(text: string): [number, number][] {
    const found: [number, number][] = []
    for (const { flat, placeOf } of flattened(text))
      for (const form of this.#forms)
        for (let at = flat.indexOf(form); at >= 0; at = flat.indexOf(form, at + 1))
          found.push([placeOf(at), placeOf(at + form.length - 1) + 1])
    const spans: [number, number][] = []
    for (const [first, last] of found.toSorted(([a], [b]) => a - b)) {
      const before = spans.at(-1)
      if (before && first < before[1]) before[1] = Math.max(before[1], last)
      else spans.push([first, last])
    }
    return spans
  }
}

/** Whether a value is long enough to be told from words. */
export const isMaskable = (value: string): boolean => value.replaceAll(BREAKS, '').length >= MIN_SECRET

/** Programs break base64 into lines, and a key may have lines of its own. */
const BREAKS = /[\r\n]/g
/** JSON's ends of lines too, of which the rest of the last may be yet to come. But a value may also begin behind a backslash. */
const BREAKS_IN_JSON = /[\r\n]|\\(?:[rn]|$)/g

/** The text without ends of lines, and where in it a character of that stands. */
const flattened = (text: string): { flat: string; placeOf: (at: number) => number }[] =>
  (text.includes('\\') ? [BREAKS, BREAKS_IN_JSON] : [BREAKS]).map((breaks) => {
    let places: ((at: number) => number) | undefined
    const placeOf = (at: number): number => (places ??= placesIn(text, breaks))(at)
    return { flat: text.replaceAll(breaks, ''), placeOf }
  })

function placesIn(text: string, breaks: RegExp): (at: number) => number {
  /** Where each would be in the flat text, and how many characters go with it and those before. */
  const gone: { at: number; length: number }[] = []
  let length = 0
  for (const { index, 0: match } of text.matchAll(breaks))
    gone.push({ at: index - length, length: (length += match.length) })
  return (at) => {
    let [low, high] = [0, gone.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (gone[middle]!.at <= at) low = middle + 1
      else high = middle
    }
    return at + (gone[low - 1]?.length ?? 0)
  }
}

/** The same for a text that comes in pieces: what may be the beginning of a value waits for the next one. */
export class MaskedStream {
  readonly #mask: Pick<Mask, 'redact' | 'heldBack'>
  #waiting = ''

  constructor(mask: Pick<Mask, 'redact' | 'heldBack'>) {
    this.#mask = mask
  }

  push(text: string): string {
    const all = this.#waiting + text
    const ready = all.slice(0, all.length - this.#mask.heldBack(all))
    this.#waiting = all.slice(ready.length)
    return this.#mask.redact(ready)
  }

  /** What waits. */
  get waiting(): string {
    return this.#waiting
  }

  end(): string {
    return this.#mask.redact(this.#waiting)
  }
}

function formsOf(value: string): string[] {
  const base64 = [0, 1, 2].map((offset) => base64Within(value, offset))
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    ...inUrls(value).flatMap((form) => [form, form.replaceAll(/%../g, (hex) => hex.toLowerCase())]),
    Buffer.from(value).toString('base64'),
    ...base64,
    ...base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
  ]
}

/** Encoders for URLs differ in the characters that they leave as they are. */
function inUrls(value: string): string[] {
  const component = encodeURIComponent(value)
  const strict = component.replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  const url = new URL('http://host')
  url.password = value
  return [
    component,
    encodeURI(value),
    strict,
    strict.replaceAll('%2F', '/'),
    strict.replaceAll('%20', '+'),
    new URLSearchParams({ '': value }).toString().slice(1),
    url.password,
  ]
}

/** What of a base64 text is the value alone, where it begins `offset` bytes into a group of three. */
function base64Within(value: string, offset: number): string {
  const bytes = Buffer.from(value)
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
}

/** How much of the text's end may be the beginning of one of these. */
const longestPiece = (text: string, forms: Iterable<string>): number =>
  Math.max(0, ...Array.from(forms, (form) => partialMatch(text, form)))

const reversed = (text: string): string => text.split('').toReversed().join('')
