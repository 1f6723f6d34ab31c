import { Command } from 'commander'
import { toIso, toMinuteText } from '../market/instant.ts'
import { candleCount } from '../market/range.ts'
import { listCoins } from '../store/coins.ts'
import { type SeriesSummary, summarizeCoverage } from '../store/coverage/summary.ts'
import { allCoins, asJson, refuseCoinsBesideAll, someCoins, someTimeframes } from './arguments/options.ts'
import { readTimeframes } from './arguments.ts'
import { chosenCoins } from './series/chosen-coins.ts'
import { withDatabase } from './session.ts'
import { answer, countText } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type CoverageOptions = Readonly<{ timeframe?: string; all?: boolean; json?: boolean }>

export const coverageCommand = (): Command =>
  new Command('coverage')
    .addArgument(someCoins())
    .addOption(allCoins())
    .addOption(someTimeframes())
    .addOption(asJson())
    .action((names: string[], { json, timeframe, all }: CoverageOptions) =>
      withDatabase(async ({ db, settings }) => {
        refuseCoinsBesideAll(names, all)
        const coins = chosenCoins(await listCoins(db), names, settings)
        const wanted = timeframe === undefined ? undefined : readTimeframes(timeframe, settings)
        const known = await summarizeCoverage(
          db,
          coins.map(({ id }) => id),
        )
        const series = known.filter((one) => wanted === undefined || wanted.includes(one.timeframe))
        const described = series.map(({ stored, ...rest }) => ({
          ...rest,
          from: toIso(stored.from),
          to: toIso(stored.to),
        }))
        answer(json, { series: described }, () =>
          series.length === 0 ? 'Nothing is stored yet.' : coverageTable(series),
        )
      }),
    )

const missing = ({ stored, timeframe, candles, absent, rejected }: SeriesSummary): number =>
  candleCount(stored, timeframe) - candles - absent - rejected

const coverageTable = (series: readonly SeriesSummary[]): string =>
  table(series, [
    { title: 'coin', of: ({ coinId }) => coinId },
    { title: 'timeframe', of: ({ timeframe }) => timeframe },
    { title: 'source', of: ({ source }) => source, leaveOut: 2 },
    { title: 'from', of: ({ stored }) => toMinuteText(stored.from) },
    { title: 'to', of: ({ stored }) => toMinuteText(stored.to) },
    { title: 'candles', of: ({ candles }) => countText(candles), align: 'right' },
    { title: 'provisional', of: ({ provisional }) => countText(provisional), align: 'right', leaveOut: 1 },
    { title: 'without trades', of: ({ absent }) => countText(absent), align: 'right', leaveOut: 3 },
    { title: 'rejected', of: ({ rejected }) => countText(rejected), align: 'right', leaveOut: 4 },
    { title: 'missing', of: (row) => countText(missing(row)), align: 'right' },
  ])
