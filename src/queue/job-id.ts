import { createHash } from 'node:crypto'

/** The longest id that the runs keep, less what a hash takes. */
const longest = 200

/**
 * A text as a part of a job's id: letters, digits and `-._` of any alphabet stand for themselves, and all else by the
 * bytes it is written in, so that no two texts have the same. It is a part of keys and addresses, which colons, slashes
 * and spaces end.
 */
const idPart = (text: string): string =>
  text.replaceAll(/[^\p{L}\p{M}\p{N}._-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `~${byte.toString(16).padStart(2, '0')}`).join(''),
  )

/** An id made of parts, in which none runs into the next; of a long one the beginning, and a hash of the whole. */
export function jobIdOf(...parts: readonly string[]): string {
  const id = parts.map(idPart).join(',')
  if (id.length <= longest) return id
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 32)
  return `${[...id].slice(0, longest / 2).join('')},${hash}`
}
