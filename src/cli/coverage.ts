import { Command } from 'commander'
import { toIso, toMinuteText } from '../market/instant.ts'
import { candleCount } from '../market/range.ts'
import { listCoins } from '../store/coins.ts'
import { type SeriesSummary, summarizeCoverage } from '../store/coverage-summary.ts'
import { chosenCoins } from './chosen-coins.ts'
import { answer, countText } from './output.ts'
import { withDatabase } from './session.ts'
import { table } from './terminal/table.ts'

export const coverageCommand = (): Command =>
  new Command('coverage')
    .argument('[coin...]', 'coin ids; all followed ones when none is named')
    .option('--json', 'answer as JSON')
    .action((coinIds: string[], { json }: { json?: boolean }) =>
      withDatabase(async ({ db }) => {
        const coins = chosenCoins(await listCoins(db), coinIds)
        const series = await summarizeCoverage(
          db,
          coins.map(({ id }) => id),
        )
        const asJson = series.map(({ stored, ...rest }) => ({
          ...rest,
          from: toIso(stored.from),
          to: toIso(stored.to),
        }))
        answer(json, { series: asJson }, () =>
          series.length === 0 ? 'Nothing is stored yet.' : coverageTable(series),
        )
      }),
    )

/** Between the first and the last stored candle. */
const missing = ({ stored, timeframe, candles, absent, rejected }: SeriesSummary): number =>
  candleCount(stored, timeframe) - candles - absent - rejected

const coverageTable = (series: readonly SeriesSummary[]): string =>
  table(series, [
    { title: 'coin', of: ({ coinId }) => coinId },
    { title: 'timeframe', of: ({ timeframe }) => timeframe },
    { title: 'source', of: ({ source }) => source },
    { title: 'from', of: ({ stored }) => toMinuteText(stored.from) },
    { title: 'to', of: ({ stored }) => toMinuteText(stored.to) },
    { title: 'candles', of: ({ candles }) => countText(candles), align: 'right' },
    { title: 'provisional', of: ({ provisional }) => countText(provisional), align: 'right' },
    { title: 'without trades', of: ({ absent }) => countText(absent), align: 'right' },
    { title: 'rejected', of: ({ rejected }) => countText(rejected), align: 'right' },
    { title: 'missing between', of: (row) => countText(missing(row)), align: 'right' },
  ])
