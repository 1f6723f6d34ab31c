import { day, type Instant, toInstant } from '../../market/instant.ts'
import { type Json, WrittenNumber } from '../answer.ts'
import type { CandleColumns, Column } from '../candle-columns.ts'
import type { InjectedFault } from './injected-fault.ts'
import { type Outage, timesAfter } from './outage.ts'

const isList = (body: Json): body is readonly Json[] => Array.isArray(body)

const isFields = (body: Json): body is { readonly [key: string]: Json } =>
  typeof body === 'object' && body !== null && !isList(body) && !(body instanceof WrittenNumber)

/** Changes the first list of rows; undefined without one. */
export function withRows(body: Json, become: (rows: readonly Json[]) => Json): Json | undefined {
  if (isList(body)) return body.every((row) => isList(row) || isFields(row)) ? become(body) : undefined
  if (!isFields(body)) return undefined
  for (const [name, value] of Object.entries(body)) {
    // Empty lists may be anything, such as errors.
    const changed = isList(value) && value.length === 0 ? undefined : withRows(value, become)
    if (changed !== undefined) return { ...body, [name]: changed }
  }
  return undefined
}

/** Unchanged if the fault needs candles and there are none. */
export function injectIntoRows(
  fault: InjectedFault,
  rows: readonly Json[],
  columns: CandleColumns | undefined,
  now: Instant,
): Json {
  switch (fault.name) {
    case 'no-rows':
      return []
    case 'object-for-rows':
      return { rows }
    case 'duplicate-row':
      return change(rows, fault.row, (row) => [row, row])
    case 'disorder':
      return rows.toReversed()
    case 'hole':
      return rows.toSpliced(fault.row, fault.rows)
    case 'one-row-short':
      return rows.slice(0, -1)
    case 'missing-column':
      return change(rows, fault.row, (row) => [dropColumn(row, fault.column)])
    case 'value':
      return change(rows, fault.row, (row) => [setColumn(row, fault.column, fault.value)])
    default:
      return columns ? injectIntoCandles(fault, rows, { columns, now }) : rows
  }
}

type Written = Readonly<{ columns: CandleColumns; now: Instant }>

/** Faults that need the columns. */
function injectIntoCandles(fault: InjectedFault, rows: readonly Json[], { columns, now }: Written): Json {
  const timeOf = (row: Json): number => openTimeOf(row, columns)
  const move = (row: Json, byMs: number): Json => moveTime(row, byMs, columns)
  // Only candles are changed.
  if (!rows.every((row) => Number.isFinite(timeOf(row)))) return rows
  switch (fault.name) {
    case 'conflicting-duplicate':
      return change(rows, fault.row, (row) => [row, otherClose(row, columns)])
    case 'one-row-more':
      return withOneBefore(rows, timeOf, (oldest, stepMs) => move(oldest, -stepMs))
    case 'open-candle':
      return withRunning(rows, timeOf, (newest, stepMs) =>
        move(newest, now - (now % stepMs) - timeOf(newest)),
      )
    case 'future-candle':
      return change(rows, -1, (row) => [row, move(row, now - timeOf(row) + day - (now % day))])
    case 'unaligned-time':
      return change(rows, fault.row, (row) => [move(row, Math.max(fault.byMs, columns.timeUnitMs))])
    case 'seconds-for-milliseconds':
      return rows.map((row) => move(row, timeOf(row) * (columns.timeUnitMs === 1 ? 1e-3 : 1e3) - timeOf(row)))
    case 'high-below-low':
      return change(rows, fault.row, (row) => [swap(row, columns.high, columns.low)])
    case 'outage':
      return rows.flatMap((row) => afterOutage(row, fault, columns))
    case 'growing-duplicate':
      return change(rows, fault.row, (row) =>
        isNewestFirst(rows, timeOf) ? [grown(row, columns), row] : [row, grown(row, columns)],
      )
    case 'revision':
      return rows.map((row) =>
        timeOf(row) === fault.openTime
          ? setColumn(row, fault.column, sameKind(column(row, fault.column), fault.value))
          : row,
      )
    default:
      return rows
  }
}
const change = (rows: readonly Json[], index: number, become: (row: Json) => readonly Json[]): Json[] =>
  rows.flatMap((row, i) => (i === (index < 0 ? rows.length + index : index) ? become(row) : [row]))

type TimeOf = (row: Json) => number

const isNewestFirst = ([first, ...others]: readonly Json[], timeOf: TimeOf): boolean => {
  const last = others.at(-1)
  return first !== undefined && last !== undefined && timeOf(first) > timeOf(last)
}

/** Adds a row before the oldest, in any order. */
function withOneBefore(rows: readonly Json[], timeOf: TimeOf, make: (oldest: Json, stepMs: number) => Json) {
  const times = rows.map(timeOf)
  const oldest = times.indexOf(Math.min(...times))
  return change(rows, rows.length < 2 ? Number.NaN : oldest, (row) => {
    const added = make(row, stepMsOf(times))
    return oldest === 0 ? [added, row] : [row, added]
  })
}

/** Adds the running candle after the newest, in any order. */
function withRunning(rows: readonly Json[], timeOf: TimeOf, make: (newest: Json, stepMs: number) => Json) {
  const times = rows.map(timeOf)
  const newest = times.indexOf(Math.max(...times))
  return change(rows, rows.length < 2 ? Number.NaN : newest, (row) => {
    const added = make(row, stepMsOf(times))
    if (timeOf(added) === timeOf(row)) return [row]
    return newest === 0 ? [added, row] : [row, added]
  })
}

/** Smallest distance. */
function stepMsOf(times: readonly number[]): number {
  const sorted = times.toSorted((a, b) => a - b)
  return Math.min(...sorted.slice(1).map((time, index) => time - (sorted[index] ?? 0)))
}

function column(row: Json, key: Column): Json {
  if (typeof row !== 'object' || row === null) return null
  return Object.entries(row).find(([name]) => name === String(key))?.[1] ?? null
}

function setColumn(row: Json, key: Column, value: Json): Json {
  if (isList(row)) return row.map((old, index) => (index === key ? value : old))
  return isFields(row) ? { ...row, [key]: value } : row
}

function dropColumn(row: Json, key: Column): Json {
  if (isList(row)) return row.filter((_, index) => index !== key)
  if (!isFields(row)) return row
  return Object.fromEntries(Object.entries(row).filter(([name]) => name !== String(key)))
}

const swap = (row: Json, a: Column, b: Column): Json =>
  setColumn(setColumn(row, a, column(row, b)), b, column(row, a))

/** NaN without a time. */
function openTimeOf(row: Json, { openTime, timeUnitMs }: CandleColumns): number {
  const time = column(row, openTime)
  return time === null ? Number.NaN : Number(textOf(time)) * timeUnitMs
}

/** Moves open time, and close time if present. */
function moveTime(row: Json, byMs: number, { openTime, closeTime, timeUnitMs }: CandleColumns): Json {
  const moved = [openTime, ...(closeTime === undefined ? [] : [closeTime])].map((key) => ({
    key,
    time: Number(textOf(column(row, key))) + byMs / timeUnitMs,
  }))
  return moved.reduce(
    (to, { key, time }) => setColumn(to, key, sameKind(column(row, key), String(time))),
    row,
  )
}

function afterOutage(row: Json, outage: Outage, columns: CandleColumns): Json[] {
  const { closeTime: closeColumn, timeUnitMs } = columns
  if (closeColumn === undefined) return [row]
  const closeTime = toInstant(Number(textOf(column(row, closeColumn))) * timeUnitMs)
  const times = timesAfter(outage, { openTime: toInstant(openTimeOf(row, columns)), closeTime })
  if (times === undefined) return []
  const write = (to: Json, key: Column, instant: Instant) =>
    setColumn(to, key, sameKind(column(to, key), String(instant / timeUnitMs)))
  return [write(write(row, columns.openTime, times.openTime), closeColumn, times.closeTime)]
}

/** Adds a digit. */
function grown(row: Json, { volume }: CandleColumns): Json {
  const old = column(row, volume)
  return setColumn(row, volume, sameKind(old, `1${textOf(old)}`))
}

/** Changes the last digit. */
function otherClose(row: Json, { close }: CandleColumns): Json {
  const old = column(row, close)
  const text = textOf(old).replace(/\d(?=(?:e[+-]?\d+)?$)/i, (digit) =>
    digit === '9' ? '8' : String(Number(digit) + 1),
  )
  return setColumn(row, close, sameKind(old, text))
}

const textOf = (value: Json): string => (value instanceof WrittenNumber ? value.text : String(value))

/** Keeps text or number. */
function sameKind(old: Json, text: string): Json {
  if (typeof old === 'number') return Number(text)
  return old instanceof WrittenNumber ? new WrittenNumber(text) : text
}
