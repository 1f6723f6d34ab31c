import { closest, distance } from 'fastest-levenshtein'

/** ` Did you mean "bitcoin"?`, or empty. */
export function didYouMean(text: string, known: readonly string[]): string {
  if (known.length === 0) return ''
  const nearest = closest(text, known)
  const changes = distance(text, nearest)
  return changes < text.length && changes <= Math.max(2, Math.floor(text.length / 3))
    ? ` Did you mean "${nearest}"?`
    : ''
}
