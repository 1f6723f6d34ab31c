import { Command } from 'commander'
import { jobs } from '../../jobs/catalog.ts'
import { Fault, InvalidInput, Unavailable, UnknownMarket } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { chooseMarket } from '../ingest/choose-market.ts'
import { candleSource } from '../ingest/markets.ts'
import { toIso, toMinuteText } from '../market/instant.ts'
import type { Outcome } from '../queue/job.ts'
import { coinId as coinIdForm, followedCoin } from '../settings/schema.ts'
import type { AnySourceId } from '../settings/source-ids.ts'
import { askForListing } from '../sources/ask.ts'
import { hasCandles, isAnySourceId, sourceNamed, sources } from '../sources/catalog.ts'
import type { CandleProvider, ListedMarket } from '../sources/source.ts'
import {
  type Coin,
  followMarket,
  type Instrument,
  listCoins,
  unfollowCoin,
  upsertCoin,
} from '../store/coins.ts'
import { listRenames, type RecordedRename } from '../store/instruments.ts'
import { inTransaction } from '../store/transaction.ts'
import { refuseUnfit } from './arguments/fitting-text.ts'
import { chosenCoins } from './chosen-coins.ts'
import { answer, print, say, table } from './output.ts'
import { runHere } from './run-here.ts'
import { type DatabaseSession, withDatabase, withFleet } from './session.ts'

export const coinsCommand = (): Command =>
  new Command('coins')
    .description('Which coins are followed, and on which markets.')
    .addCommand(listCommand())
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addCommand(syncCommand())

const listCommand = (): Command =>
  new Command('list')
    .description('List the followed coins.')
    .option('--json', 'answer as JSON')
    .action(({ json }: { json?: boolean }) =>
      withDatabase(async ({ db }) => {
        const coins = await listCoins(db)
        const renames = await listRenames(db)
        const asJson = coins.map(({ markets, ...coin }) => ({
          ...coin,
          markets: markets.map(nameOf),
          renamed: renames
            .filter(({ coinId }) => coinId === coin.id)
            .map(({ source, oldSymbol, newSymbol, oldBase, newBase, renamedAt }) => ({
              market: nameOf({ source, symbol: newSymbol }),
              oldMarket: nameOf({ source, symbol: oldSymbol }),
              oldBase,
              newBase,
              renamedAt: toIso(renamedAt),
            })),
          ended: markets.flatMap(({ listedTo, relistedAt, ...market }) =>
            listedTo === undefined
              ? []
              : [
                  {
                    market: nameOf(market),
                    endedAt: toIso(listedTo),
                    listedAgainAt: relistedAt === undefined ? null : toIso(relistedAt),
                  },
                ],
          ),
        }))
        answer(json, { coins: asJson }, () =>
          coins.length === 0
            ? 'No coin is followed. Add one with: beacon coins add bitcoin'
            : coinTable(coins, renames),
        )
      }),
    )

const coinTable = (coins: readonly Coin[], renames: readonly RecordedRename[]): string =>
  table(coins, [
    { title: 'coin', of: ({ id }) => id },
    { title: 'symbol', of: ({ symbol }) => symbol },
    { title: 'name', of: ({ name }) => name },
    {
      title: 'markets',
      of: ({ markets }) =>
        markets.map((market) => `${nameOf(market)}${pastOf(market, renames)}${endOf(market)}`).join(', '),
    },
  ])

const nameOf = ({ source, symbol }: Pick<Instrument, 'source' | 'symbol'>): string => `${source}:${symbol}`

/** What it was called before, where the symbol itself has changed. */
function pastOf({ coinId, source, symbol }: Instrument, renames: readonly RecordedRename[]): string {
  const last = renames.findLast(
    (one) =>
      one.coinId === coinId && one.source === source && one.newSymbol === symbol && one.oldSymbol !== symbol,
  )
  return last === undefined ? '' : ` (${last.oldSymbol} until ${toMinuteText(last.renamedAt)})`
}

function endOf({ listedTo, relistedAt }: Instrument): string {
  if (listedTo === undefined) return ''
  const again =
    relistedAt === undefined
      ? ''
      : `; listed again since ${toMinuteText(relistedAt)}, and it may be another coin now`
  return ` (ended ${toMinuteText(listedTo)}${again})`
}

type AddOptions = Readonly<{
  market?: string[]
  source?: string
  symbol?: string
  name?: string
  json?: boolean
}>

const addCommand = (): Command =>
  new Command('add')
    .description('Follow a coin, or add to its markets.')
    .argument('<coin>', "its id, CoinGecko's: bitcoin")
    .option(
      '--market <source:symbol...>',
      "its market on a source, in the source's own spelling: binance:BTCUSDT; looked for by its ticker when left out",
    )
    .option('--source <id>', 'where to look for its market; the first source that lists it when left out')
    .option('--symbol <ticker>', 'its ticker; the base of the market when left out')
    .option('--name <name>', 'its name; the id when left out')
    .option('--json', 'answer as JSON')
    .action((coinId: string, options: AddOptions) =>
      withFleet((session, fleet) => add(session, fleet, coinId, options)),
    )

async function add(
  { db, database, settings, clock, signal }: DatabaseSession,
  fleet: Fleet,
  coinId: string,
  options: AddOptions,
): Promise<void> {
  refuseUnfit(`"${coinId}"`, coinIdForm, coinId)
  if (options.market && options.source !== undefined)
    throw new InvalidInput('--market names its source already: leave --source out')
  refuseUnfit('--symbol', followedCoin.shape.symbol, options.symbol)
  refuseUnfit('--name', followedCoin.shape.name, options.name)
  const markets = options.market?.map(readMarket) ?? []
  const listed: (ListedMarket | undefined)[] = []
  for (const [index, named] of markets.entries()) {
    const market = await lookUp(fleet, named, signal)
    listed.push(market)
    // By the one name that all of the source's answers use, whichever was given here.
    if (market) markets[index] = { ...named, symbol: market.symbol }
  }
  const known =
    (await listCoins(db)).find((coin) => coin.id === coinId) ??
    settings.coins.find((coin) => coin.id === coinId)
  if (!options.market) {
    const found = await find(fleet, coinId, options.symbol ?? known?.symbol, options.source, signal)
    markets.push(found)
    listed.push(found.market)
  }
  const names = {
    symbol:
      (options.market ? options.symbol : undefined) ??
      known?.symbol ??
      listed.find((market) => market)?.base ??
      coinId.toUpperCase().slice(0, 20),
    name: options.name ?? known?.name ?? coinId,
  }
  const now = clock.now()
  const added = await inTransaction(database.pool, async (tx) => {
    await upsertCoin(tx.db, coinId, names, now)
    const results: string[] = []
    for (const { source, symbol } of markets) {
      if (await followMarket(tx, { coinId, source, symbol }, now)) results.push(`${source}:${symbol}`)
    }
    return results
  })
  answer(options.json, { coinId, ...names, added }, () =>
    added.length > 0
      ? `${names.name} (${names.symbol}) is followed on ${added.join(', ')}.`
      : `${coinId} was followed there already; nothing has changed.`,
  )
}

type MarketName = Readonly<{ source: AnySourceId; symbol: string }>

/** Looks for the coin's market on the source, or on each that has candles until one lists it. */
async function find(
  { context: { settings, http } }: Fleet,
  coinId: string,
  ticker: string | undefined,
  sourceId: string | undefined,
  signal: AbortSignal,
): Promise<MarketName & { market: ListedMarket }> {
  if (ticker === undefined) {
    throw new InvalidInput(
      `the ticker of ${coinId} is not known here: add --symbol TICKER, or --market SOURCE:SYMBOL`,
    )
  }
  const base = ticker.toUpperCase()
  const reach = { http, baseUrls: settings.environment.baseUrls }
  const candidates: readonly CandleProvider[] =
    sourceId === undefined ? Object.values(sources).filter(hasCandles) : [candleSource(sourceId)]
  const asked: string[] = []
  for (const source of candidates) {
    try {
      const markets = await askForListing(reach, source, { lane: 'live', signal })
      if (!markets) continue
      asked.push(source.id)
      const choice = chooseMarket(markets, base, settings.quotes)
      if (choice.kind === 'one')
        return { source: source.id, symbol: choice.market.symbol, market: choice.market }
      if (choice.kind === 'ambiguous') {
        const names = choice.candidates.map(({ symbol }) => `${source.id}:${symbol}`)
        throw new InvalidInput(
          `${base} stands for several markets: choose with --market ${names.join(' or ')}`,
        )
      }
    } catch (error) {
      if (!(error instanceof Unavailable) || sourceId !== undefined) throw error
      say(`${source.id} was not asked for ${base}: ${error.message}.`)
    }
  }
  throw new InvalidInput(
    asked.length === 0
      ? `no source could be asked for ${base}: name its market with --market SOURCE:SYMBOL`
      : `${asked.join(', ')} ${asked.length === 1 ? 'lists' : 'list'} no market of ${base}: check the ticker, or name its market with --market SOURCE:SYMBOL`,
  )
}

function readMarket(text: string): MarketName {
  // The id of a source of ccxt holds a colon itself, as some symbols do.
  const [, source = '', symbol = ''] = /^((?:ccxt:)?[^:]*):(.+)$/.exec(text) ?? []
  if (!isAnySourceId(source)) {
    throw new InvalidInput(
      `--market ${text} is not SOURCE:SYMBOL such as binance:BTCUSDT; the sources are ${Object.keys(sources).join(', ')}, and ccxt:NAME for any other exchange (ccxt:bitvavo:BTC/EUR)`,
    )
  }
  if (source === 'binance-archive') {
    throw new InvalidInput(
      `${text} is no market: the archive's files hold the candles of binance, and a backfill reads them by itself; follow --market binance:${symbol}`,
    )
  }
  if (symbol.length > 50) throw new InvalidInput(`--market ${text} is longer than any symbol`)
  return { source, symbol }
}

/** Finds the market in its source's listing. Refuses one that is not there; a source out of reach is only told. */
async function lookUp(
  { context }: Fleet,
  { source: id, symbol }: MarketName,
  signal: AbortSignal,
): Promise<ListedMarket | undefined> {
  const { http, settings } = context
  const reach = { http, baseUrls: settings.environment.baseUrls }
  try {
    const listing = await askForListing(reach, sourceNamed(id), { lane: 'live', signal }, symbol)
    if (!listing) return undefined
    const market = listing.find((listed) => listed.symbol === symbol || listed.alsoCalled?.includes(symbol))
    if (!market) throw new UnknownMarket(`${id} does not list ${symbol}`)
    if (!market.trading) say(`${id} lists ${symbol}, but it is not trading now.`)
    return market
  } catch (error) {
    if (error instanceof UnknownMarket)
      throw new InvalidInput(`${id} does not list ${symbol}: check the spelling on the exchange`, {
        cause: error,
      })
    if (!(error instanceof Fault) || !(error instanceof Unavailable)) throw error
    say(`Not checked whether ${symbol} exists: ${error.message}.`)
    return undefined
  }
}

const removeCommand = (): Command =>
  new Command('remove')
    .description('Follow a coin no more; its data stays.')
    .argument('<coin>', 'its id')
    .option('--json', 'answer as JSON')
    .action((coinId: string, { json }: { json?: boolean }) =>
      withDatabase(async ({ db, database, clock }) => {
        chosenCoins(await listCoins(db), [coinId])
        const ended = await inTransaction(database.pool, (tx) => unfollowCoin(tx, coinId, clock.now()))
        if (json) answer(json, { coinId, markets: ended }, () => '')
        else print(`${coinId} is followed no more; its data stays.`)
      }),
    )

const syncJobs = ['sync-instruments', 'sync-coins']

const syncCommand = (): Command =>
  new Command('sync')
    .description('Look now whether the followed markets are still listed, and bring the coins up to date.')
    .option('--json', 'answer as JSON')
    .action(({ json }: { json?: boolean }) =>
      withFleet(async (session, fleet) => {
        const coins = await listCoins(session.db)
        const done: { job: string; payload: unknown; outcome: Outcome }[] = []
        for (const job of jobs.filter(({ name }) => syncJobs.includes(name))) {
          for (const { payload } of job.schedules?.(session.settings, coins) ?? []) {
            done.push({ job: job.name, payload, outcome: await runHere(session, fleet, job, payload) })
          }
        }
        answer(json, { runs: done }, () =>
          table(done, [
            { title: 'job', of: ({ job, payload }) => `${job} ${wordsOf(payload)}`.trim() },
            { title: 'outcome', of: ({ outcome }) => wordsOf(outcome) },
          ]),
        )
      }),
    )

const wordsOf = (facts: unknown): string =>
  Object.entries(facts ?? {})
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
