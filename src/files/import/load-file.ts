import { Aborted, Malformed } from '../../fault.ts'
import { finalBefore } from '../../ingest/kept-history.ts'
import { inLoad, type LoadDeps, loadAll } from '../../ingest/load-pages.ts'
import { type Instant, toIso } from '../../market/instant.ts'
import { queueOfSource } from '../../settings/source-ids.ts'
import { rowsWhere } from '../../store/candles/candle-rows.ts'
import { encodeCandles } from '../../store/candles/candle-rows-writer.ts'
import { type Accounting, addAccounting, type CandleBatch, nothingReceived } from '../../store/candles.ts'
import { lockSeries } from '../../store/coverage.ts'
import { throwIfUnplaced } from '../../store/partitions/leave-out.ts'
import { finishRun, startRun } from '../../store/runs.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type CheckedBatch, checkedBatches } from './checked-batches.ts'
import { isOther, type PlannedFile, type PlannedSeries, storedByTime } from './import-plan.ts'
import { openSource } from './source-file.ts'

export type LoadFileDeps = LoadDeps & Readonly<{ clock: Readonly<{ now(): Instant }>; signal: AbortSignal }>

export type ImportedRows = Accounting & Readonly<{ kept: number }>

const nothingImported: ImportedRows = { ...nothingReceived, kept: 0 }

const addImported = (a: ImportedRows, b: ImportedRows): ImportedRows => ({
  ...addAccounting(a, b),
  kept: a.kept + b.kept,
})

type LoadOptions = Readonly<{
  /** Replace stored candles that differ. */
  mayReplace: boolean
  onProgress(rows: number): void
}>

/** Loads a planned file like answers, one transaction per batch and a run per series. Can be stopped and resumed. */
export async function loadFile(
  deps: LoadFileDeps,
  planned: PlannedFile,
  options: LoadOptions,
): Promise<ImportedRows> {
  await refuseChanged(planned)
  const runs = new Map<string, Run>()
  const now = deps.clock.now()
  try {
    const batches = checkedBatches({ ...planned, now }, { others: 0, marked: 0 })
    for await (const batch of batches) {
      if (deps.signal.aborted)
        throw new Aborted(`stopped while importing ${planned.source.path}; run the same command to continue`)
      const run = await runOf(deps, runs, planned, batch)
      run.imported = addImported(run.imported, await loadBatch(deps, batch, run.id, options.mayReplace, now))
      options.onProgress(batch.rows)
    }
    await refuseChanged(planned)
    for (const { id, imported } of runs.values())
      await finishRun(databaseOf(deps.pool), id, { status: 'done', outcome: imported }, deps.clock.now())
  } catch (error) {
    for (const run of runs.values()) await finishFailed(deps, run, error)
    throw error
  }
  return [...runs.values()].map(({ imported }) => imported).reduce(addImported, nothingImported)
}

type Run = { readonly id: string; imported: ImportedRows }

/** The runs record this checksum. */
async function refuseChanged({ source: { path, sha256 } }: PlannedFile): Promise<void> {
  if ((await openSource(path)).sha256 !== sha256)
    throw new Malformed(`${path} has changed since it was read first: run the command again`)
}

async function runOf(
  { pool, clock }: LoadFileDeps,
  runs: Map<string, Run>,
  { source, series }: PlannedFile,
  { target }: CheckedBatch,
): Promise<Run> {
  const { coinId, timeframe, source: sourceId } = target.series
  const key = `${coinId} ${timeframe}`
  const known = runs.get(key)
  if (known) return known
  const planned = series.find((one) => isOf(one, coinId, timeframe))
  const payload = {
    ...target.series,
    symbol: target.market.symbol,
    from: toIso(planned?.range.from ?? clock.now()),
    to: toIso(planned?.range.to ?? clock.now()),
    file: source.name,
    sha256: source.sha256,
  }
  const id = await startRun(databaseOf(pool), {
    job: 'import',
    queue: queueOfSource(sourceId),
    jobId: `command-import-${source.sha256.slice(0, 16)}-${key}`,
    attempt: 1,
    payload,
    startedAt: clock.now(),
  })
  const run = { id, imported: nothingImported }
  runs.set(key, run)
  return run
}

const isOf = ({ target: { series } }: PlannedSeries, coinId: string, timeframe: string): boolean =>
  series.coinId === coinId && series.timeframe === timeframe

/** Already loaded rows are its outcome. */
async function finishFailed(
  { pool, clock }: LoadFileDeps,
  { id, imported }: Run,
  error: unknown,
): Promise<void> {
  const failure = {
    error: error instanceof Error ? error.message : String(error),
    fault: error instanceof Error ? error.name : 'Error',
    willRetry: false,
  }
  const end =
    imported.received > 0
      ? ({ status: 'partial', outcome: imported, ...failure } as const)
      : ({ status: 'failed', ...failure } as const)
  await finishRun(databaseOf(pool), id, end, clock.now())
}

/** One transaction, so concurrent writers' candles are not overwritten unseen. */
async function loadBatch(
  deps: LoadFileDeps,
  batch: CheckedBatch,
  runId: string,
  mayReplace: boolean,
  now: Instant,
): Promise<ImportedRows> {
  const { series } = batch.target
  const page = pageOf(deps, batch, runId, now)
  return inLoad(deps, series.timeframe, [page], async (tx, placed) => {
    throwIfUnplaced(placed.unplaced, 'candle')
    if (mayReplace) return { ...(await loadAll(tx, placed)), kept: 0 }
    await lockSeries(tx.db, [series])
    const stored = await storedByTime(tx.db, series, batch.span)
    const differing = new Set(
      batch.checked.candles
        .filter((candle) => isOther(stored.get(candle.openTime), candle))
        .map(({ openTime }) => openTime),
    )
    const batches = placed.batches.map((one) => ({
      ...one,
      rows: rowsWhere(one.rows, (openTime) => !differing.has(openTime)),
    }))
    return { ...(await loadAll(tx, { ...placed, batches })), kept: differing.size }
  })
}

/** Covers only its rows: a file cannot prove absence. */
const pageOf = (
  { settings }: LoadFileDeps,
  { target: { series, market }, span, checked }: CheckedBatch,
  runId: string,
  now: Instant,
): CandleBatch => ({
  series,
  symbol: market.symbol,
  answered: span,
  rows: encodeCandles(series, checked.candles),
  rejected: checked.rejected,
  absentBefore: span.from,
  finalBefore: finalBefore(settings, series.timeframe, now),
  now,
  runId,
})
