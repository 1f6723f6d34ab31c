/** Absent fields are unknown or do not fit. */
export type CoinDetails = Readonly<{
  symbol: string
  name: string
  imageUrl?: string
  /** May contain markup. */
  description?: string
  website?: string
  whitepaper?: string
  /** Chain of a token; absent for coins with their own. */
  blockchainType?: string
}>

const longestAddress = 255

/** Browsers skip white space and control characters, which could change the address. */
const addressForm = /^https?:\/\/[^\s\p{Cc}]+$/iu

/** Undefined unless http(s) and short enough. */
export function readWebAddress(value: unknown): string | undefined {
  if (typeof value !== 'string' || !addressForm.test(value)) return undefined
  return URL.canParse(value) && [...value].length <= longestAddress ? value : undefined
}

/** Undefined if empty or too long; NUL removed. */
export function readText(value: unknown, longest = Number.POSITIVE_INFINITY): string | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.replaceAll('\u0000', '')
  return text.trim() === '' || text.length > longest ? undefined : text
}
