/** Optional in Bitfinex's and Kraken's symbols. */
const separators = /[-_/:]/g

/** Kraken's legacy prefixes: XXBTZUSD, XETHXXBT. */
const krakenLegacyPair = /^X([A-Z]{3})[XZ]([A-Z]{3})$/

/**
 * Equal for all spellings of a market: ignores case, separators and Kraken's prefixes (XXBTZUSD, XBTUSD, XBT/USD). Same
 * as index `instruments_market_key`.
 */
export function marketKey(source: string, symbol: string): string {
  const bare = symbol.replaceAll(separators, '').toUpperCase()
  return source === 'kraken' ? bare.replace(krakenLegacyPair, '$1$2') : bare
}
