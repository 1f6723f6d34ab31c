// Names may use any alphabet: 币安人生USDT.

/** Control characters and surrogates, unsafe for stores and terminals. */
const unfit = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u

/** PostgreSQL's length. */
export const lengthOf = (text: string): number => [...text].length

/** One line, trimmed, up to `longest` characters. */
export const isName = (text: string, longest: number): boolean =>
  text !== '' &&
  text === text.trim() &&
  lengthOf(text) <= longest &&
  !unfit.test(text) &&
  // Special in URLs.
  text !== '.' &&
  text !== '..'

/** Made printable and cut. */
export function fittingName(text: string, longest: number): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\t-\r\u0085\u2028\u2029]+/g, ' ')
    .replaceAll(/\p{Cc}/gu, '')
  return [...line.trim()].slice(0, longest).join('').trim()
}
