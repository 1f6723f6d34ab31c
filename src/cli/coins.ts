import { Command } from 'commander'
import { Fault, InvalidInput, Unavailable, UnknownMarket } from '../fault.ts'
import type { Fleet } from '../fleet.ts'
import { coinId as coinIdForm } from '../settings/schema.ts'
import { isSourceId, sources } from '../sources/catalog.ts'
import { type ListedMarket, toHttpRequest } from '../sources/source.ts'
import { type Coin, followMarket, listCoins, unfollowCoin, upsertCoin } from '../store/coins.ts'
import { inTransaction } from '../store/transaction.ts'
import { chosenCoins } from './chosen-coins.ts'
import { answer, print, say, table } from './output.ts'
import { type DatabaseSession, withDatabase, withFleet } from './session.ts'

export const coinsCommand = (): Command =>
  new Command('coins')
    .description('Which coins are followed, and on which markets.')
    .addCommand(listCommand())
    .addCommand(addCommand())
    .addCommand(removeCommand())

const listCommand = (): Command =>
  new Command('list')
    .description('List the followed coins.')
    .option('--json', 'answer as JSON')
    .action(({ json }: { json?: boolean }) =>
      withDatabase(async ({ db }) => {
        const coins = await listCoins(db)
        const asJson = coins.map(({ markets, ...coin }) => ({
          ...coin,
          markets: markets.map(({ source, symbol }) => `${source}:${symbol}`),
        }))
        answer(json, { coins: asJson }, () =>
          coins.length === 0
            ? 'No coin is followed. Add one with: beacon coins add bitcoin --market binance:BTCUSDT'
            : coinTable(coins),
        )
      }),
    )

const coinTable = (coins: readonly Coin[]): string =>
  table(coins, [
    { title: 'coin', of: ({ id }) => id },
    { title: 'symbol', of: ({ symbol }) => symbol },
    { title: 'name', of: ({ name }) => name },
    {
      title: 'markets',
      of: ({ markets }) => markets.map(({ source, symbol }) => `${source}:${symbol}`).join(', '),
    },
  ])

type AddOptions = Readonly<{ market: string[]; symbol?: string; name?: string; json?: boolean }>

const addCommand = (): Command =>
  new Command('add')
    .description('Follow a coin, or add to its markets.')
    .argument('<coin>', "its id, CoinGecko's: bitcoin")
    .requiredOption(
      '--market <source:symbol...>',
      "its market on a source, in the source's own spelling: binance:BTCUSDT",
    )
    .option('--symbol <ticker>', 'its ticker; the base of the market when left out')
    .option('--name <name>', 'its name; the id when left out')
    .option('--json', 'answer as JSON')
    .action((coinId: string, options: AddOptions) =>
      withFleet((session, fleet) => add(session, fleet, coinId, options)),
    )

async function add(
  { db, database, clock, signal }: DatabaseSession,
  fleet: Fleet,
  coinId: string,
  options: AddOptions,
): Promise<void> {
  const id = coinIdForm.safeParse(coinId)
  if (!id.success) throw new InvalidInput(`${coinId} ${id.error.issues[0]?.message}`)
  const markets = options.market.map(readMarket)
  const listed: (ListedMarket | undefined)[] = []
  for (const market of markets) listed.push(await lookUp(fleet, market, signal))
  const known = (await listCoins(db)).find((coin) => coin.id === coinId)
  const names = {
    symbol:
      options.symbol ??
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

type MarketName = Readonly<{ source: keyof typeof sources; symbol: string }>

function readMarket(text: string): MarketName {
  const [source = '', ...rest] = text.split(':')
  const symbol = rest.join(':')
  if (!isSourceId(source) || !symbol) {
    throw new InvalidInput(
      `--market ${text} is not SOURCE:SYMBOL such as binance:BTCUSDT; the sources are ${Object.keys(sources).join(', ')}`,
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
  const source = sources[id]
  if (!source.listing) return undefined
  try {
    const request = toHttpRequest(
      source,
      source.listing.request(symbol),
      context.settings.environment.baseUrls,
    )
    const market = source.listing
      .parse((await context.http.get(request, { lane: 'live', signal })).text)
      .find((listed) => listed.symbol === symbol)
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
