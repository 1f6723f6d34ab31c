import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { marketSymbol } from '../../settings/schema.ts'
import type { AnySourceId } from '../../settings/source-ids.ts'
import { isAnySourceId, sources } from '../../sources/catalog.ts'
import { refuseUnfit } from '../arguments/fitting-text.ts'

/** A market as a person names it. */
export type MarketName = Readonly<{ source: AnySourceId; symbol: string }>

/** Reads SOURCE:SYMBOL. Throws InvalidInput that shows the form. */
export function readMarket(text: string): MarketName {
  // The id of a source of ccxt holds a colon itself, as some symbols do.
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
