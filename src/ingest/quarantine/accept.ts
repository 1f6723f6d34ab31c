import { commandLine } from '../../command-line.ts'
import { InvalidInput } from '../../fault.ts'
import type { AlignedCandle } from '../../market/candle.ts'
import { type Instant, toIso, toMinuteText } from '../../market/instant.ts'
import { candleFrom, intervalsFrom } from '../../market/range.ts'
import { isAligned, isTimeframe } from '../../market/timeframe.ts'
import type { Context } from '../../runtime/context.ts'
import { queueOfSource } from '../../settings/source-ids.ts'
import type { Settings } from '../../settings.ts'
import { encodeCandles } from '../../store/candles/candle-rows-writer.ts'
import { type Accounting, addAccounting, type CandleBatch, nothingReceived } from '../../store/candles.ts'
import { lockSeries, type Series } from '../../store/coverage.ts'
import { throwIfUnplaced } from '../../store/partitions/leave-out.ts'
import { type Accepting, readStoredOtherwise, resolveAccepted } from '../../store/quarantine/accept.ts'
import type { QuarantinedRow } from '../../store/quarantine.ts'
import { finishRun, startRun } from '../../store/runs.ts'
import { type Database, databaseOf } from '../../store/transaction.ts'
import { finalClose } from '../kept-history.ts'
import { inLoad, type LoadDeps, loadAll } from '../load-pages.ts'

export type AcceptDeps = LoadDeps & Pick<Context, 'clock'>

type Acceptable = Readonly<{ id: string; series: Series; market: string; candle: AlignedCandle }>

/** Ids of accepted rows and of other rows of their candles. */
export type Accepted = Accounting & Readonly<{ accepted: readonly string[]; loaded: readonly string[] }>

/**
 * Stores rejected rows' candles through the usual load and resolves them. Throws InvalidInput, with nothing changed, if
 * one cannot be stored.
 */
export async function acceptQuarantined(
  deps: AcceptDeps,
  rows: readonly QuarantinedRow[],
  accepting: Accepting,
): Promise<Accepted> {
  const bySeries = new Map<string, Acceptable[]>()
  for (const row of rows) {
    const acceptable = acceptableOf(deps.settings, row, accepting.now)
    const { coinId, timeframe, source } = acceptable.series
    const key = `${coinId} ${timeframe} ${source}`
    const ofSeries = bySeries.get(key) ?? []
    refuseSecond(ofSeries, acceptable)
    bySeries.set(key, [...ofSeries, acceptable])
  }
  const lists = [...bySeries.values()]
  for (const list of lists) await refuseStored(databaseOf(deps.pool), list)
  let total: Accepted = { ...nothingReceived, accepted: [], loaded: [] }
  for (const list of lists) {
    const one = await acceptSeries(deps, list, accepting)
    const accepted = [...total.accepted, ...one.accepted]
    total = { ...addAccounting(total, one), accepted, loaded: [...total.loaded, ...one.loaded] }
  }
  return total
}

function acceptableOf(settings: Settings, row: QuarantinedRow, now: Instant): Acceptable {
  const { id, source, market, coinId, timeframe, openTime, values, resolved, reason } = row
  const cannot = (why: string) => new InvalidInput(`row ${shortId(id)} cannot be accepted: ${why}`)
  if (resolved !== undefined && resolved.as !== 'discarded')
    throw cannot(
      `it is resolved already: ${resolved.as} at ${toMinuteText(resolved.at)} UTC by ${resolved.by}`,
    )
  if (timeframe === undefined) throw cannot('it is a price, and only candles can be')
  if (coinId === undefined || !isTimeframe(timeframe)) throw cannot('it names no coin and timeframe')
  if (settings.timeframes[timeframe] === undefined)
    throw cannot(
      `${timeframe} is not configured. Configured timeframes: ${Object.keys(settings.timeframes).join(', ')}`,
    )
  if (openTime === undefined) throw cannot('its open time cannot be read')
  if (!isAligned(openTime, timeframe)) throw cannot(`${toIso(openTime)} is not on the ${timeframe} grid`)
  if (values === undefined)
    throw cannot(
      `it has no candle that can be stored (${reason}). Ask for it again with: ${commandLine`beacon quarantine retry ${shortId(id)}`}`,
    )
  if (candleFrom(openTime, timeframe).to > finalClose(settings, timeframe, now))
    throw cannot('its candle has not closed yet')
  return { id, series: { coinId, timeframe, source }, market, candle: { openTime, ...values } }
}

const shortId = (id: string): string => id.slice(0, 8)

function refuseSecond(others: readonly Acceptable[], { id, candle }: Acceptable): void {
  const other = others.find((one) => one.candle.openTime === candle.openTime)
  if (!other) return
  throw new InvalidInput(
    `rows ${shortId(other.id)} and ${shortId(id)} are of the same candle, of ${toMinuteText(candle.openTime)} UTC: accept one of them`,
  )
}

/** A valid stored candle is kept. */
async function refuseStored(db: Database, rows: readonly Acceptable[]): Promise<void> {
  const [first] = rows
  if (!first) return
  const candles = rows.map(({ candle }) => candle)
  const [stored] = await readStoredOtherwise(db, first.series, candles)
  if (stored === undefined) return
  throw new InvalidInput(
    `the table has a ${first.series.timeframe} candle of ${stored} UTC already, and keeps it. Resolve its rows with: ${commandLine`beacon quarantine retry ${rows.map(({ id }) => shortId(id))}`}`,
  )
}

async function acceptSeries(
  deps: AcceptDeps,
  rows: readonly Acceptable[],
  accepting: Accepting,
): Promise<Accepted> {
  const { pool, clock } = deps
  const db = databaseOf(pool)
  const [first] = rows
  if (!first) return { ...nothingReceived, accepted: [], loaded: [] }
  const { series, market } = first
  const sorted = rows.toSorted((a, b) => a.candle.openTime - b.candle.openTime)
  const openTimes = sorted.map(({ candle }) => candle.openTime)
  const ranges = intervalsFrom(openTimes, series.timeframe)
  const span = { from: ranges[0]?.from ?? accepting.now, to: ranges.at(-1)?.to ?? accepting.now }
  const payload = { ...series, symbol: market, from: toIso(span.from), to: toIso(span.to) }
  const run = { job: 'accept-quarantine', queue: queueOfSource(series.source), attempt: 1, payload }
  const runId = await startRun(db, { ...run, jobId: 'command-accept-quarantine', startedAt: clock.now() })
  const batches = sorted.map((row) => batchOf(row, runId, accepting.now))
  try {
    const done = await inLoad(deps, series.timeframe, batches, async (tx, placed): Promise<Accepted> => {
      throwIfUnplaced(placed.unplaced, 'candle')
      await lockSeries(tx.db, [series])
      await refuseStored(tx.db, rows)
      const accounting = await loadAll(tx, placed)
      const ids = rows.map(({ id }) => id)
      const resolved = await resolveAccepted(tx.db, ids, accepting)
      if (resolved.accepted.length < ids.length)
        throw new InvalidInput(
          `a row was resolved meanwhile, and nothing was stored. Inspect it with: ${commandLine`beacon quarantine show ${ids.map(shortId)}`}`,
        )
      return { ...accounting, ...resolved }
    })
    await finishRun(db, runId, { status: 'done', outcome: { ...done, requests: 0 } }, clock.now())
    return done
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const fault = error instanceof Error ? error.name : 'Error'
    await finishRun(db, runId, { status: 'failed', error: reason, fault, willRetry: false }, clock.now())
    throw error
  }
}

/** A final answer of one candle. */
function batchOf({ series, market, candle }: Acceptable, runId: string, now: Instant): CandleBatch {
  const answered = candleFrom(candle.openTime, series.timeframe)
  return {
    series,
    symbol: market,
    answered,
    rows: encodeCandles(series, [candle]),
    rejected: [],
    absentBefore: answered.from,
    now,
    runId,
  }
}
