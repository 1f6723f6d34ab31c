/**
 * The tick after a close: the newest candles of 500 markets, from the replay exchange to the last commit. Held against the
 * same answers, already in memory, and one COPY of their candles.
 */

import { ingestCandles } from '../../jobs/ingest-candles.ts'
import { unlimitedBudget } from '../../src/http/budget.ts'
import { openHttpClient } from '../../src/http/client.ts'
import type { HttpClient, HttpRequest } from '../../src/http/request.ts'
import { prepareRows } from '../../src/ingest/prepare-rows.ts'
import { type Instant, minute, second, toIso } from '../../src/market/instant.ts'
import type { AlignedRange } from '../../src/market/range.ts'
import { floorTo } from '../../src/market/timeframe.ts'
import type { Context } from '../../src/runtime/context.ts'
import { openLog } from '../../src/runtime/log.ts'
import { SeriesRanges } from '../../src/runtime/series-ranges.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { binance } from '../../src/sources/binance.ts'
import { candleColumns, rowsBetween } from '../../src/store/candles/candle-rows.ts'
import { copyRowsInto } from '../../src/store/candles/copy.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { atMs, plus } from '../support/at.ts'
import { type Cost, costOf, rounds, scale } from './measure.ts'
import { minutesFrom, onReplay, type Replay, resetTracked } from './replayed.ts'
import { type Row, ratioRow } from './rows.ts'
import { benchStart, coinIdAt, onStage, runId, type Stage } from './stage.ts'

const marketCount = Math.max(10, Math.round(500 * scale))

/** A daemon has ticked for hours: the first minutes, in which its code is still being compiled, take twice as long. */
const ticksBefore = 5

export const benchLiveMinute = (): Promise<Row[]> =>
  onReplay((replay) => onStage((stage) => measureMinutes(stage, replay)))

async function measureMinutes(stage: Stage, replay: Replay): Promise<Row[]> {
  const [minutes, pages]: [Cost[], Cost[]] = [[], []]
  const asked: Cost[] = []
  const [minutesCopied, pagesCopied]: [Cost[], Cost[]] = [[], []]
  const day = minutesFrom(benchStart, 2 * 1_440)
  await resetTracked(stage, marketCount, day)
  const desk = openDesk(stage, replay)
  try {
    // A minute of the second day, so that a day of history lies before it.
    desk.moveTo(plus(benchStart, 1_440 * minute + 3 * second))
    await tick(desk)
    for (let before = 0; before < ticksBefore; before += 1) {
      desk.moveTo(plus(desk.now(), minute))
      await tick(desk)
    }
    for (let round = 0; round < rounds; round += 1) {
      desk.moveTo(plus(desk.now(), minute))
      minutes.push(await costOf(stage.server, () => tick(desk)))
      minutesCopied.push(await copyAnswers(stage, desk, 1))
      asked.push(await costOf(stage.server, () => askAgain(desk)))
    }
    for (let round = 0; round < rounds; round += 1) {
      await resetTracked(stage, marketCount, day)
      pages.push(await costOf(stage.server, () => tick(desk)))
      pagesCopied.push(await copyAnswers(stage, desk, Number.POSITIVE_INFINITY))
    }
  } finally {
    desk.close()
  }
  const against = 'the same answers in memory, parsed and loaded by one COPY'
  const target = { time: 3 } as const
  const what = `a live minute of ${marketCount} markets over HTTP`
  return [
    ratioRow({ what, against, target }, minutes, minutesCopied),
    ratioRow(
      { what: 'its requests alone, the answers thrown away', against: 'all of it', target: undefined },
      asked,
      minutes,
    ),
    ratioRow(
      { what: `the newest thousand minutes of ${marketCount} markets over HTTP`, against, target },
      pages,
      pagesCopied,
    ),
  ]
}

/** A daemon's reach whose clock is moved by hand, and which remembers what it was answered. */
type Desk = Readonly<{
  context: Context
  answers: Answered[]
  /** Asks, and forgets what it was answered. */
  get: HttpClient['get']
  now(): Instant
  moveTo(instant: Instant): void
  close(): void
}>

/** The answer for one market; all of them belong to the coin that is asked for, whatever its name. */
type Answered = Readonly<{ request: HttpRequest; range: AlignedRange; text: string }>

function openDesk(stage: Stage, replay: Replay): Desk {
  let now: Instant = benchStart
  const clock = { now: () => now }
  const settings: Settings = readSettings({ ...replay })
  const answers: Answered[] = []
  const { timeout, maxBodyBytes } = settings.http
  const http = openHttpClient({ clock, budget: unlimitedBudget, timeoutMs: timeout, maxBodyBytes })
  const remember: HttpClient['get'] = async (request, options) => {
    const answer = await http.get(request, options)
    answers.push({ request, range: rangeOf(request.query), text: answer.text })
    return answer
  }
  return {
    context: {
      ...{ pool: stage.pool, partitions: stage.deps.partitions, settings, clock, steadyClock: clock, runId },
      seriesRanges: new SeriesRanges(),
      http: { get: remember, download: http.download },
      log: openLog({ level: 'error', pretty: false }),
      enqueue: async (_name, payloads) => payloads.map(() => 'waiting'),
      signal: new AbortController().signal,
    },
    answers,
    get: http.get,
    now: clock.now,
    moveTo: (instant) => {
      now = instant
    },
    close: http.close,
  }
}

const rangeOf = ({ startTime, endTime }: Readonly<Record<string, string>>): AlignedRange => ({
  from: atMs(Number(startTime)),
  to: atMs(Number(endTime) + 1),
})

const silent = { attempt: 1, progress: async () => undefined, log: async () => undefined }

async function tick({ context, answers }: Desk): Promise<void> {
  answers.length = 0
  await ingestCandles.run(context, { source: 'binance', timeframe: '1m' }, silent)
}

/** The requests of the last tick once more, as many at a time as it sends. */
async function askAgain({ context: { settings, signal }, get, answers }: Desk): Promise<void> {
  const waiting = answers.map(({ request }) => request).values()
  const ask = async () => {
    for (const request of waiting) await get(request, { lane: 'live', signal })
  }
  await Promise.all(Array.from({ length: settings.candles.parallelMarkets }, ask))
}

/** How long the newest so many candles of each answer take into the table by one COPY, after they were taken out again. */
async function copyAnswers({ pool, server }: Stage, { answers, now }: Desk, newest: number): Promise<Cost> {
  const at = now()
  const from = newest === 1 ? floorTo('1m', plus(at, -minute)) : benchStart
  await pool.query('delete from ohlcv_data where timestamp >= $1', [toIso(from)])
  return costOf(server, () =>
    inTransaction(pool, async (tx) => {
      const rows = answers.map(({ range, text }, place) => {
        const query = { symbol: 'any', timeframe: '1m', range, asOf: at } as const
        const series = { coinId: coinIdAt(place), timeframe: '1m', source: 'binance' } as const
        const parsed = binance.candles.parse(text, query)
        const { rows } = prepareRows(series, parsed, { timeframe: '1m', range, now: at })
        const { length } = rows.openTimes
        return rowsBetween(rows, Math.max(0, length - newest), length)
      })
      await copyRowsInto(tx, 'ohlcv_data', candleColumns, rows)
    }),
  )
}
