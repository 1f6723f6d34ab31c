/** What a source tells of a coin besides its price. What it does not know, or no column can hold, is absent. */
export type CoinDetails = Readonly<{
  symbol: string
  name: string
  imageUrl?: string
  /** As it came, with the markup there may be in it. */
  description?: string
  website?: string
  whitepaper?: string
  /** The chain that the coin is issued on; absent where it has a chain of its own, or the source does not know. */
  blockchainType?: string
}>

const longestAddress = 255

/** No white space, no control characters: a browser would read past them, and so find another address. */
const addressForm = /^https?:\/\/[^\s\p{Cc}]+$/iu

/** An address of the web as it came; undefined for another scheme, and for one that its column would have to cut. */
export function readWebAddress(value: unknown): string | undefined {
  if (typeof value !== 'string' || !addressForm.test(value)) return undefined
  return URL.canParse(value) && [...value].length <= longestAddress ? value : undefined
}

/** A text that says something and is no longer than its column, without the NUL that no column holds. */
export function readText(value: unknown, longest = Number.POSITIVE_INFINITY): string | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.replaceAll('\u0000', '')
  return text.trim() === '' || text.length > longest ? undefined : text
}
