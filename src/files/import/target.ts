import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import { type CandleMarket, candleMarketOf, candleSource, requireCandleMarket } from '../../ingest/markets.ts'
import { isTimeframe, type Timeframe } from '../../market/timeframe.ts'
import type { Settings } from '../../settings.ts'
import type { Coin } from '../../store/coins.ts'
import type { Series } from '../../store/coverage.ts'
import { pairOf } from '../export/freqtrade-pair.ts'
import type { FileFacts, SeriesKey } from './file-rows.ts'
import { excerptOf } from './text-lines.ts'

/** Given by the user. */
export type ImportChoice = Readonly<{
  coin: Coin | undefined
  timeframe: Timeframe | undefined
  source: string | undefined
}>

export type ImportTarget = Readonly<{
  series: Series
  market: CandleMarket
  /** Known from file name or rows. */
  isTimeframeKnown: boolean
}>

type Deps = Readonly<{ coins: readonly Coin[]; settings: Settings; path: string }>

/** Undefined for series not chosen. Throws InvalidInput if unknown, untracked or of another market. */
export function targetOf(
  deps: Deps,
  choice: ImportChoice,
  facts: FileFacts,
  key: SeriesKey,
): ImportTarget | undefined {
  if (key.coinId !== undefined && choice.coin !== undefined && key.coinId !== choice.coin.id) return undefined
  if (key.timeframe !== undefined && choice.timeframe !== undefined && key.timeframe !== choice.timeframe)
    return undefined
  const coin = coinOf(deps, choice, facts, key)
  const timeframe = timeframeOf(deps, choice, facts, key)
  const source = sourceOf(choice, facts)
  const market = requireCandleMarket(coin, source)
  refuseOtherMarket(deps, coin, market, facts)
  return {
    series: { coinId: coin.id, timeframe, source: market.source.id },
    market,
    isTimeframeKnown: (key.timeframe ?? facts.timeframe) !== undefined,
  }
}

function sourceOf({ source }: ImportChoice, { format }: FileFacts): string | undefined {
  if (source !== undefined) return candleSource(source).id
  return format === 'binance' || format === 'kraken' ? format : undefined
}

function coinOf({ coins, path }: Deps, choice: ImportChoice, facts: FileFacts, key: SeriesKey): Coin {
  const { coinId } = key
  if (coinId !== undefined) {
    const coin = coins.find(({ id }) => id === coinId)
    if (coin) return coin
    throw new InvalidInput(
      `${path} has candles of ${excerptOf(coinId)}, which is not tracked. Track it with: ${commandLine`beacon coins add ${excerptOf(coinId)}`}`,
    )
  }
  if (choice.coin) return choice.coin
  const found = facts.symbol === undefined ? [] : coins.filter((coin) => isOfName(coin, choice, facts))
  const [coin, another] = found
  if (coin && !another) return coin
  throw new InvalidInput(`the coin of ${path} is unknown: name it, such as --coin bitcoin`)
}

function isOfName(coin: Coin, choice: ImportChoice, facts: FileFacts): boolean {
  const market = candleMarketOf(coin, sourceOf(choice, facts))
  return market !== undefined && isMarketOf(coin, market, facts)
}

function timeframeOf(
  { settings, path }: Deps,
  choice: ImportChoice,
  facts: FileFacts,
  key: SeriesKey,
): Timeframe {
  const shown = key.timeframe ?? facts.timeframe
  if (shown !== undefined && choice.timeframe !== undefined && shown !== choice.timeframe)
    throw new InvalidInput(`${path} has ${shown} candles: leave --timeframe ${choice.timeframe} out`)
  const timeframe = shown ?? choice.timeframe
  if (timeframe === undefined)
    throw new InvalidInput(`the timeframe of ${path} is unknown: name it, such as --timeframe 1h`)
  if (isTimeframe(timeframe) && settings.timeframes[timeframe]) return timeframe
  throw new InvalidInput(
    `timeframe "${excerptOf(timeframe)}" of ${path} is not configured. Configured timeframes: ${Object.keys(settings.timeframes).join(', ')}`,
  )
}

function refuseOtherMarket({ path }: Deps, coin: Coin, market: CandleMarket, facts: FileFacts): void {
  if (facts.symbol === undefined || isMarketOf(coin, market, facts)) return
  throw new InvalidInput(
    `${path} is of the market ${facts.symbol}, and ${coin.id} is ${market.symbol} on ${market.source.id}. Track that market with: ${commandLine`beacon coins add ${coin.id} --market ${`${market.source.id}:${facts.symbol}`}`}`,
  )
}

/** freqtrade uses common names, others the source's. */
function isMarketOf(coin: Coin, market: CandleMarket, { format, symbol = '' }: FileFacts): boolean {
  if (format !== 'freqtrade') return plain(symbol) === plain(market.symbol)
  const own = coin.markets.filter(({ source }) => source === market.source.id)
  return symbol === pairOf({ ...coin, markets: own }).join('_')
}

/** Kraken's files name XETHZUSD ETHUSD. */
const plain = (symbol: string): string =>
  symbol
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '')
    .replace(/^X([A-Z]{3})Z([A-Z]{3})$/, '$1$2')
