// What sources and people call coins and markets: 币安人生USDT is a symbol of Binance like any other.

/** Ends a line, moves the cursor, or is half a character: no name has it, and no store or terminal takes it as it is. */
const unfit = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u

/** As PostgreSQL counts the length of a text. */
export const lengthOf = (text: string): number => [...text].length

/** Whether that can be a name of at most so many characters, of whatever alphabet: it is kept and asked for as it is. */
export const isName = (text: string, longest: number): boolean =>
  text !== '' &&
  text === text.trim() &&
  lengthOf(text) <= longest &&
  !unfit.test(text) &&
  // As a part of an address, these two lead elsewhere however they are written.
  text !== '.' &&
  text !== '..'

/** As much of a text that anybody may have written as can be shown in a line, and fits. */
export function fittingName(text: string, longest: number): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\t-\r\u0085\u2028\u2029]+/g, ' ')
    .replaceAll(/\p{Cc}/gu, '')
  return [...line.trim()].slice(0, longest).join('').trim()
}
