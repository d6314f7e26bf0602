import { partialMatch } from './partial-match.ts'

/** Shorter values can't be told from words of their own. */
export const MIN_SECRET = 6
const MASK = '***'

/** Which parts of a text were cut off, so that its edges may be pieces of a secret. */
export interface Cut {
  start?: boolean
  end?: boolean
}

/** Takes values out of texts, in every form in which a program prints them. */
export class Mask {
  readonly #forms = new Set<string>()

  /** Values that are too short are left alone. */
  add(value: string): void {
    if (value.length < MIN_SECRET) return
    for (const form of formsOf(value)) this.#forms.add(form)
  }

  /** The text with every value replaced by `***`; at a cut edge, also what may be a piece of one. */
  redact(text: string, { start = false, end = false }: Cut = {}): string {
    const forms = [...this.#forms]
    const spans = this.#spans(text)
    const tail = start ? Math.max(0, ...forms.map((form) => partialMatch(reversed(text), reversed(form)))) : 0
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

  /** How many characters at the end of a text may belong to a value that isn't all there yet. */
  heldBack(text: string): number {
    const partial = Math.max(0, ...[...this.#forms].map((form) => partialMatch(text, form)))
    const cut = text.length - partial
    const across = this.#spans(text).find(([first, last]) => first < cut && cut < last)
    return text.length - (across ? across[0] : cut)
  }

  /** Where values stand, those that overlap as one. */
  #spans(text: string): [number, number][] {
    const found: [number, number][] = []
    for (const form of this.#forms)
      for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1))
        found.push([at, at + form.length])
    const spans: [number, number][] = []
    for (const [first, last] of found.toSorted(([a], [b]) => a - b)) {
      const before = spans.at(-1)
      if (before && first < before[1]) before[1] = Math.max(before[1], last)
      else spans.push([first, last])
    }
    return spans
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

  end(): string {
    return this.#mask.redact(this.#waiting)
  }
}

function formsOf(value: string): string[] {
  const base64 = [0, 1, 2].map((offset) => base64Within(value, offset))
  return [
    value,
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
    Buffer.from(value).toString('base64'),
    ...base64,
    ...base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_')),
  ]
}

/** What of a base64 text is the value alone, where it begins `offset` bytes into a group of three. */
function base64Within(value: string, offset: number): string {
  const bytes = Buffer.from(value)
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
}

const reversed = (text: string): string => text.split('').toReversed().join('')
