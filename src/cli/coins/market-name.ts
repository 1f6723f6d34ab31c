import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { marketSymbol } from '../../settings/schema.ts'
import type { AnySourceId } from '../../settings/source-ids.ts'
import { isAnySourceId, sources } from '../../sources/catalog.ts'
import { refuseUnfit } from '../arguments/fitting-text.ts'

/** As typed. */
export type MarketName = Readonly<{ source: AnySourceId; symbol: string }>

/** Throws InvalidInput unless SOURCE:SYMBOL. */
export function readMarket(text: string): MarketName {
  // ccxt ids and some symbols contain colons.
  const [, source = '', symbol = ''] = /^((?:ccxt:)?[^:]*):(.+)$/s.exec(text) ?? []
  if (!isAnySourceId(source)) {
    throw new InvalidInput(
      `--market ${text} is not SOURCE:SYMBOL such as binance:BTCUSDT; the sources are ${Object.keys(sources).join(', ')}, and ccxt:NAME for any other exchange (ccxt:bitvavo:BTC/EUR)`,
    )
  }
  if (source === 'binance-archive') {
    throw new InvalidInput(
      `${text} is no market: the archive's files hold the candles of binance, and a backfill reads them by itself; follow ${commandLine`--market ${`binance:${symbol}`}`}`,
    )
  }
  refuseUnfit(`the symbol of --market ${text}`, marketSymbol, symbol)
  return { source, symbol }
}
