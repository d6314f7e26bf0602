const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A time span for people, in its two largest units: `85 ms`, `1.2 s`, `2 min 3 s`, `7 d`. @param ms milliseconds */
export function formatDuration(ms: number): string {
  const span = Math.max(0, Math.round(ms))
  if (span < SECOND) return `${span} ms`
  if (span < 59_950) return `${(span / SECOND).toFixed(1)} s`
  if (span < HOUR - SECOND / 2) return two(span, MINUTE, 'min', SECOND, 's')
  if (span < DAY - MINUTE / 2) return two(span, HOUR, 'h', MINUTE, 'min')
  return two(span, DAY, 'd', HOUR, 'h')
}

function two(span: number, large: number, largeName: string, small: number, smallName: string): string {
  const smalls = Math.round(span / small)
  const ratio = large / small
  const rest = smalls % ratio
  return `${Math.floor(smalls / ratio)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`
}

/** A moment in local time: `2026-11-23 17:05`. @param at ms since the epoch */
export function formatMoment(at: number): string {
  const date = new Date(at)
  const pad = (part: number): string => String(part).padStart(2, '0')
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}`
}
