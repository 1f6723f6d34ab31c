import { Command } from 'commander'
import type { Candle } from '../market/candle.ts'
import { toInstant, toIso, toMinuteText } from '../market/instant.ts'
import { readCandles } from '../store/candles.ts'
import { listCoins } from '../store/coins.ts'
import { readCount, readTimeframes } from './arguments.ts'
import { drawCandles } from './candle-chart.ts'
import { chosenCoins } from './chosen-coins.ts'
import { answer, table } from './output.ts'
import { type DatabaseSession, withDatabase } from './session.ts'

type CandlesOptions = Readonly<{ last?: string; plot?: boolean; json?: boolean }>

export const candlesCommand = (): Command =>
  new Command('candles')
    .description('Show the newest stored candles of a coin.')
    .argument('<coin>', 'coin id')
    .argument('<timeframe>', 'such as 1m or 1h')
    .option('--last <count>', 'how many; 20 unless said otherwise, what fits the terminal with --plot')
    .option('--plot', 'draw them')
    .option('--json', 'answer as JSON, prices as exact text')
    .action((coinId: string, timeframe: string, options: CandlesOptions) =>
      withDatabase((session) => showCandles(session, coinId, timeframe, options)),
    )

const longestAnswer = 100_000

async function showCandles(
  { db, settings }: DatabaseSession,
  coinId: string,
  name: string,
  { last, plot, json }: CandlesOptions,
): Promise<void> {
  const width = process.stdout.columns ?? 100
  const count = readCount('--last', last ?? (plot ? String(Math.max(20, width - 16)) : '20'), longestAnswer)
  const [timeframe = '1h'] = readTimeframes(name, settings)
  const [coin] = chosenCoins(await listCoins(db), [coinId])
  const everything = { from: toInstant(0), to: toInstant(Date.UTC(9999, 0, 1)) }
  const candles = await readCandles(db, { coinId: coin?.id ?? coinId, timeframe }, everything, count)
  const asJson = candles.map(({ openTime, ...values }) => ({ openTime: toIso(openTime), ...values }))
  answer(json, { coinId, timeframe, candles: asJson }, () => {
    if (candles.length === 0)
      return `No ${timeframe} candles of ${coinId} are stored yet. Bring some in with: beacon backfill ${coinId} --timeframe ${timeframe} --from -7d`
    return plot
      ? drawCandles(candles, { width, height: 18, colours: process.stdout.isTTY === true })
      : candleTable(candles)
  })
}

const candleTable = (candles: readonly Candle[]): string =>
  table(candles, [
    { title: 'open time (UTC)', of: ({ openTime }) => toMinuteText(openTime) },
    ...(['open', 'high', 'low', 'close', 'volume'] as const).map((name) => ({
      title: name,
      of: (candle: Candle) => candle[name],
      align: 'right' as const,
    })),
  ])
