import { Command } from 'commander'
import { sharersOf } from '../../ingest/listing/shared-markets.ts'
import { type Instant, toIso, toMinuteText } from '../../market/instant.ts'
import { listRenames, type RecordedRename } from '../../store/coins/instruments.ts'
import { type Coin, type Instrument, listCoins } from '../../store/coins.ts'
import { withDatabase } from '../session.ts'
import { answer } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'

export const listCommand = (): Command =>
  new Command('list')
    .description('List the tracked coins.')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) =>
      withDatabase(async ({ db }) => {
        const coins = await listCoins(db)
        const renames = await listRenames(db)
        answer(json, { coins: coins.map((coin) => asJson(coin, coins, renames)) }, () =>
          coins.length === 0
            ? 'No coin is tracked. Add one with: beacon coins add bitcoin'
            : coinTable(coins, renames),
        )
      }),
    )

function asJson(
  { markets, ...coin }: Coin,
  coins: readonly Coin[],
  renames: readonly RecordedRename[],
): object {
  return {
    ...coin,
    markets: markets.map(nameOf),
    since: markets.flatMap(({ listedFrom, ...market }) =>
      listedFrom === undefined ? [] : [{ market: nameOf(market), since: toIso(listedFrom) }],
    ),
    shared: markets.flatMap((market) => {
      const others = sharersOf(market, coins)
      return others.length === 0 ? [] : [{ market: nameOf(market), with: others }]
    }),
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
        : [{ market: nameOf(market), endedAt: toIso(listedTo), listedAgainAt: isoOrNull(relistedAt) }],
    ),
  }
}

const isoOrNull = (at: Instant | undefined): string | null => (at === undefined ? null : toIso(at))

const coinTable = (coins: readonly Coin[], renames: readonly RecordedRename[]): string =>
  table(coins, [
    { title: 'coin', of: ({ id }) => id },
    { title: 'symbol', of: ({ symbol }) => symbol },
    { title: 'name', of: ({ name }) => name, wraps: true, leaveOut: 1 },
    {
      title: 'markets',
      of: ({ markets }) =>
        markets
          .map((market) => {
            const notes = [
              beginningOf(market),
              pastOf(market, renames),
              sharingOf(market, coins),
              endOf(market),
            ]
            return `${nameOf(market)}${notes.join('')}`
          })
          .join(', '),
      wraps: true,
    },
  ])

const nameOf = ({ source, symbol }: Pick<Instrument, 'source' | 'symbol'>): string => `${source}:${symbol}`

const beginningOf = ({ listedFrom }: Instrument): string =>
  listedFrom === undefined ? '' : ` (since ${toMinuteText(listedFrom)})`

function sharingOf(market: Instrument, coins: readonly Coin[]): string {
  const others = sharersOf(market, coins)
  return others.length === 0 ? '' : ` (tracked as ${others.join(', ')} too: remove one of them)`
}

/** Earlier symbol, if changed. */
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
