import { z } from 'zod'

/** Every source with an adapter of ours, by the id that commands, configuration and tables use. */
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

/** Any other exchange, by the name that ccxt has for it: `ccxt:bitvavo`. */
export type CcxtSourceId = `ccxt:${string}`

export type AnySourceId = SourceId | CcxtSourceId

/** What may be the id of a source. Whether ccxt knows an exchange of that name shows when it is first asked. */
export const anySourceId = z.union([
  z.enum(sourceIds),
  z.templateLiteral(['ccxt:', z.string().regex(/^[a-z0-9]{1,40}$/)]),
])

/** The queue that a source's work waits in. No name of a queue holds a colon. */
export const queueOfSource = (id: string): string => id.replaceAll(':', '-')

/** Any text but the id of a source, which is passed through `queueOfSource` first. */
export type QueueName<Name extends string> = Name extends CcxtSourceId ? never : Name

export const isCcxtSourceId = (text: string): text is CcxtSourceId =>
  text.startsWith('ccxt:') && anySourceId.safeParse(text).success
