const causes: Readonly<Record<string, string>> = {
  'no-trades': 'no trades',
  'not-fetched': 'not fetched yet',
  refused: 'in quarantine',
  'no-partition': 'cannot be stored: see beacon gaps',
  late: 'closed just now',
}

/** Why candles are missing, in words. */
export const causeText = (cause: string): string => causes[cause] ?? cause.replaceAll('-', ' ')
