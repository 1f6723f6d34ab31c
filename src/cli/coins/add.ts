import { Command } from 'commander'
import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import type { Fleet } from '../../fleet.ts'
import { candleMarketOf } from '../../ingest/markets.ts'
import { type Instant, toIso, toMinuteText } from '../../market/instant.ts'
import { marketKey } from '../../market/market-key.ts'
import { fittingName } from '../../market/name.ts'
import { timeframes } from '../../market/timeframe.ts'
import { coinId as coinIdForm, trackedCoin } from '../../settings/schema.ts'
import type { Settings } from '../../settings.ts'
import { counted } from '../../status/words.ts'
import { setAside } from '../../store/candles/foreign-candles.ts'
import { lockMarkets } from '../../store/coins/instruments.ts'
import { endedBefore, refuseTaken } from '../../store/coins/market-owners.ts'
import { type Coin, listCoins, trackMarket, upsertCoin } from '../../store/coins.ts'
import { archivesWithCandles } from '../../store/lifecycle/archives/archived-coverage.ts'
import { inTransaction, type Transaction } from '../../store/transaction.ts'
import { refuseUnfit } from '../arguments/fitting-text.ts'
import { asJson } from '../arguments/options.ts'
import { readDate } from '../arguments.ts'
import { type DatabaseSession, withFleet } from '../session.ts'
import { answer, say } from '../terminal/output.ts'
import { checkBeginning } from './beginning.ts'
import { warnOfOtherPrice } from './compare-price.ts'
import { type FoundMarket, findMarket, lookUpMarket } from './find-market.ts'
import { type Listings, openListings } from './listings.ts'
import { readMarket } from './market-name.ts'
import { type WantedCoin, wantedCoins } from './wanted-coins.ts'

type AddOptions = Readonly<{
  market?: string[]
  top?: string
  quote?: string
  source?: string
  symbol?: string
  name?: string
  since?: string
  json?: boolean
}>

export const addCommand = (): Command =>
  new Command('add')
    .description('Track a coin, or add to its markets.')
    .argument('[coin...]', 'name coins by CoinGecko id (bitcoin)')
    .option('--top <count>', 'track the largest coins by market capitalisation')
    .option('--market <source:symbol...>', 'track this market, such as binance:BTCUSDT')
    .option('--source <id>', 'look for the market on this source only')
    .option('--quote <list>', 'choose markets in these quotes, such as USDT,USD')
    .option('--symbol <ticker>', 'set the ticker; default: the base of the market')
    .option('--name <name>', 'set the name; default: the id')
    .option('--since <date>', 'leave out candles from before this date')
    .addOption(asJson())
    .action((names: string[], options: AddOptions) =>
      withFleet((session, fleet) => addAll(session, fleet, names, options), { mayCreate: true }),
    )

async function addAll(
  session: DatabaseSession,
  fleet: Fleet,
  names: readonly string[],
  options: AddOptions,
): Promise<void> {
  refuseTogether(names, options)
  const adding = {
    session,
    fleet,
    options,
    listings: openListings(fleet, session.signal),
    quotes: options.quote === undefined ? session.settings.quotes : readQuotes(options.quote),
  }
  const wanted = await wantedCoins(session, fleet, names, options.top)
  const added: Added[] = []
  const refused: Refusal[] = []
  for (const one of wanted) {
    try {
      added.push(await add(adding, one))
    } catch (error) {
      // Another coin may be found where this one is not.
      if (!(error instanceof InvalidInput) || wanted.length === 1) throw error
      refused.push({ coinId: one.coinId, why: error.message })
    }
  }
  answer(options.json, { coins: added.map(addedJson), notAdded: refused }, () =>
    [...added.map(addedText), ...refused.map(({ coinId, why }) => `${coinId} was not added: ${why}.`)].join(
      '\n',
    ),
  )
  // Of the ranking, what no exchange lists is no mistake.
  if (refused.length > 0 && options.top === undefined)
    throw new InvalidInput(`${refused.length} of ${wanted.length} coins were not added: see above`)
}

type Refusal = Readonly<{ coinId: string; why: string }>

type Adding = Readonly<{
  session: DatabaseSession
  fleet: Fleet
  options: AddOptions
  listings: Listings
  quotes: readonly string[]
}>

function readQuotes(text: string): string[] {
  const quotes = text.split(',').map((quote) => quote.trim().toUpperCase())
  const wrong = quotes.find((quote) => !/^[A-Z0-9]{2,20}$/.test(quote))
  if (wrong !== undefined) throw new InvalidInput(`--quote "${wrong}" is not an asset such as USDT`)
  return quotes
}

/** Options of a single coin. */
function refuseTogether(names: readonly string[], options: AddOptions): void {
  if (options.top !== undefined && names.length > 0)
    throw new InvalidInput('--top names the coins already: leave either out')
  if (options.top === undefined && names.length === 0)
    throw new InvalidInput('no coin is named: add one, such as bitcoin, or the largest with --top 20')
  if (options.market && options.source !== undefined)
    throw new InvalidInput('--market names its source already: leave --source out')
  const single = (['market', 'symbol', 'name', 'since'] as const).find((name) => options[name] !== undefined)
  if (options.top !== undefined && single !== undefined)
    throw new InvalidInput(`--${single} is of one coin: leave it out, or name the coin instead of --top`)
  if (names.length > 1 && single !== undefined)
    throw new InvalidInput(`--${single} is of one coin: add ${names.join(', ')} one after the other`)
}

async function add(
  { session, fleet, options, listings, quotes }: Adding,
  { coinId, ranked, usualPrice }: WantedCoin,
): Promise<Added> {
  const { db, database, settings, clock, signal } = session
  refuseUnfit(`"${coinId}"`, coinIdForm, coinId)
  refuseUnfit('--symbol', trackedCoin.shape.symbol, options.symbol)
  refuseUnfit('--name', trackedCoin.shape.name, options.name)
  const since = readSince(options.since, clock.now())
  const named = options.market?.map(readMarket)
  const tracked = (await listCoins(db)).find((coin) => coin.id === coinId)
  const known = tracked ?? settings.coins.find((coin) => coin.id === coinId) ?? ranked
  const ticker = options.symbol ?? known?.symbol
  const markets: FoundMarket[] = []
  for (const market of named ?? []) markets.push(await lookUpMarket(listings, market))
  if (!named) markets.push(await findMarket(listings, { coinId, ticker, sourceId: options.source, quotes }))
  for (const market of markets) {
    await refuseTaken(db, { coinId, ...market })
    warnOfOtherTicker(market, coinId, ticker)
    if (isTracked(tracked, market)) continue
    await warnOfOtherPrice(fleet, { coinId, usualPrice }, market, signal)
    if (since !== undefined) continue
    const command = commandFor(coinId, market, options)
    await checkBeginning(fleet, db, { market, command, now: clock.now(), signal })
  }
  const names = {
    symbol:
      (named ? options.symbol : undefined) ??
      known?.symbol ??
      markets.find(({ listed }) => listed)?.listed?.base ??
      fittingName(coinId.toUpperCase(), 20),
    name: options.name ?? known?.name ?? coinId,
  }
  const done = await inTransaction(database.pool, async (tx) => {
    // Lock before any row, to avoid deadlocks.
    await lockMarkets(tx)
    await upsertCoin(tx.db, coinId, names, clock.now())
    return track(tx, { coinId, markets, since, now: clock.now(), settings })
  })
  return { coinId, names, done }
}

function readSince(text: string | undefined, now: Instant): Instant | undefined {
  if (text === undefined) return undefined
  const since = readDate('--since', text, now)
  if (since > now) throw new InvalidInput(`--since ${text} lies in the future: no candle is closed yet`)
  return since
}

const isTracked = (coin: Coin | undefined, { source, symbol }: FoundMarket): boolean =>
  coin?.markets.some(
    (market) =>
      market.source === source &&
      market.listedTo === undefined &&
      marketKey(source, market.symbol) === marketKey(source, symbol),
  ) ?? false

/** Checks that id and symbol belong together, by ticker. */
function warnOfOtherTicker(
  { source, symbol, listed }: FoundMarket,
  coinId: string,
  ticker: string | undefined,
): void {
  if (listed === undefined || ticker === undefined || listed.base === ticker.toUpperCase()) return
  say(
    `${source}:${symbol} is a market of ${listed.base}${listed.baseName === undefined ? '' : ` (${listed.baseName})`}, and the ticker of ${coinId} is ${ticker}: stop it with ${commandLine`beacon coins remove ${coinId}`} if that is another coin.`,
  )
}

function commandFor(
  coinId: string,
  { source, symbol }: FoundMarket,
  { symbol: ticker, name }: AddOptions,
): string {
  return [
    commandLine`beacon coins add ${coinId} --market ${`${source}:${symbol}`}`,
    ...(ticker === undefined ? [] : [commandLine`--symbol ${ticker}`]),
    ...(name === undefined ? [] : [commandLine`--name ${name}`]),
  ].join(' ')
}

type Tracking = Readonly<{
  coinId: string
  markets: readonly FoundMarket[]
  since: Instant | undefined
  now: Instant
  settings: Settings
}>

type Done = Readonly<{
  added: readonly Readonly<{ market: string; since: Instant | undefined }>[]
  candlesSetAside: number
}>

async function track(tx: Transaction, tracking: Tracking): Promise<Done> {
  const { coinId, markets, since, now } = tracking
  const added: { market: string; since: Instant | undefined }[] = []
  let candlesSetAside = 0
  for (const { source, symbol: found } of markets) {
    const market = { coinId, source, symbol: found, ...(since === undefined ? {} : { since }) }
    const { isChanged, symbol, listedFrom } = await trackMarket(tx, market, now)
    if (!isChanged) continue
    added.push({ market: `${source}:${symbol}`, since: listedFrom })
    candlesSetAside += await setEarlierAside(tx, tracking, { source, symbol })
  }
  return { added, candlesSetAside }
}

/** Earlier candles of the symbol belong to another coin. */
async function setEarlierAside(
  tx: Transaction,
  { coinId, since, now, settings }: Tracking,
  { source, symbol }: Readonly<{ source: string; symbol: string }>,
): Promise<number> {
  const coin = (await listCoins(tx.db)).find(({ id }) => id === coinId)
  if (since === undefined || !coin || candleMarketOf(coin, source)?.symbol !== symbol) return 0
  const from = await endedBefore(tx, { coinId, source }, since)
  const reason = `the symbol stands for ${coinId} only since ${toIso(since)}`
  const foreign = { coinId, source, market: symbol, to: since, reason, now }
  const archived = await archivesWithCandles(tx.db, {
    coinId,
    source,
    to: since,
    ...(from !== undefined && { from }),
  })
  if (archived.length > 0)
    throw new InvalidInput(
      `${counted(archived.length, 'archived file')} ${archived.length === 1 ? 'has' : 'have'} candles from before --since: restore them, so that they can be quarantined too: ${archived.map((id) => commandLine`beacon archive restore ${id.slice(0, 8)}`).join('; ')}`,
    )
  const kept = timeframes.filter((timeframe) => settings.timeframes[timeframe])
  return setAside(tx, from === undefined ? foreign : { ...foreign, from }, kept)
}

type Added = Readonly<{ coinId: string; names: Readonly<{ symbol: string; name: string }>; done: Done }>

const addedJson = ({ coinId, names, done: { added, candlesSetAside } }: Added) => ({
  coinId,
  ...names,
  added: added.map(({ market }) => market),
  since: added.flatMap(({ market, since }) => (since === undefined ? [] : [{ market, since: toIso(since) }])),
  candlesSetAside,
})

function addedText({ coinId, names: { symbol, name }, done: { added, candlesSetAside } }: Added): string {
  if (added.length === 0) return `${coinId} was tracked there already; nothing has changed.`
  const markets = added.map(({ market, since }) =>
    since === undefined ? market : `${market} since ${toMinuteText(since)} UTC`,
  )
  const aside =
    candlesSetAside === 0
      ? ''
      : ` ${candlesSetAside} earlier candles are quarantined: ${commandLine`beacon quarantine list --coin ${coinId}`}`
  return `${name} (${symbol}) is tracked on ${markets.join(', ')}.${aside}`
}
