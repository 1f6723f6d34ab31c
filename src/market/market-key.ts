/** Bitfinex and Kraken separate the two sides of some symbols only, and people write them either way. */
const separators = /[-_/:]/g

/** Kraken's oldest pairs: an X before the coin, an X or a Z before what it is priced in (XXBTZUSD, XETHXXBT). */
const krakenLegacyPair = /^X([A-Z]{3})[XZ]([A-Z]{3})$/

/**
 * Equal for all spellings of one market on one source: case and separators do not count (tWBTUSD, tWBT:USD), nor do the
 * prefixes of Kraken (XXBTZUSD, XBTUSD, XBT/USD). The index `instruments_market_key` has the same in SQL.
 */
export function marketKey(source: string, symbol: string): string {
  const bare = symbol.replaceAll(separators, '').toUpperCase()
  return source === 'kraken' ? bare.replace(krakenLegacyPair, '$1$2') : bare
}
