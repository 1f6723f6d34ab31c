/** Every source this version can read, by the id that commands, configuration and tables use. */
export const sourceIds = [
  'binance',
  'binance-archive',
  'coinbase',
  'kraken',
  'okx',
  'bybit',
  'kucoin',
  'bitstamp',
  'bitfinex',
  'gateio',
  'cryptocom',
  'htx',
  'mexc',
  'coingecko',
  'coinpaprika',
] as const
export type SourceId = (typeof sourceIds)[number]
