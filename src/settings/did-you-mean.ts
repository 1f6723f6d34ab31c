import { closest, distance } from 'fastest-levenshtein'

/** ` Did you mean "bitcoin"?`, where a known name is near enough to be a slip of the finger; otherwise nothing. */
export function didYouMean(text: string, known: readonly string[]): string {
  if (known.length === 0) return ''
  const nearest = closest(text, known)
  return distance(text, nearest) <= Math.max(2, Math.floor(text.length / 3))
    ? ` Did you mean "${nearest}"?`
    : ''
}
