import { z } from 'zod'

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

/** Other exchanges by ccxt's name: `ccxt:bitvavo`. */
export type CcxtSourceId = `ccxt:${string}`

export type AnySourceId = SourceId | CcxtSourceId

/** ccxt names are checked on first use. */
export const anySourceId = z.union([
  z.enum(sourceIds),
  z.templateLiteral(['ccxt:', z.string().regex(/^[a-z0-9]{1,40}$/)]),
])

/** Queue names have no colon. */
export const queueOfSource = (id: string): string => id.replaceAll(':', '-')

/** Any text but the id of a source, which is passed through `queueOfSource` first. */
export type QueueName<Name extends string> = Name extends CcxtSourceId ? never : Name

export const isCcxtSourceId = (text: string): text is CcxtSourceId =>
  text.startsWith('ccxt:') && anySourceId.safeParse(text).success
