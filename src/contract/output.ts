import type { BoundedOutput } from './job.ts'

/** An output as text; of a long one the head and the tail, and between them how much there is. */
export const outputText = ({ head, tail, bytes }: BoundedOutput): string =>
  tail ? `${head}\n… (${bytes} bytes in all) …\n${tail}` : head
