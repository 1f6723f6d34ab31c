import { createHash } from 'node:crypto'

/** Limit of ingest_runs, minus the hash. */
const longest = 200

/** Escapes text for an id, injectively: ids are parts of keys and URLs, so colons, slashes and spaces are encoded. */
const idPart = (text: string): string =>
  text.replaceAll(/[^\p{L}\p{M}\p{N}._-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `~${byte.toString(16).padStart(2, '0')}`).join(''),
  )

/** Joins parts unambiguously; long ids become a prefix and a hash. */
export function jobIdOf(...parts: readonly string[]): string {
  const id = parts.map(idPart).join(',')
  if (id.length <= longest) return id
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 32)
  return `${[...id].slice(0, longest / 2).join('')},${hash}`
}
