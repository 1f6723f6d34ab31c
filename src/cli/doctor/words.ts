const shown = 3

/** `a, b, c and 4 more` */
export function shortened(names: readonly string[]): string {
  const left = names.length - shown
  return left > 0 ? `${names.slice(0, shown).join(', ')} and ${left} more` : names.join(', ')
}
