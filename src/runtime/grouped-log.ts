import { second } from '../market/instant.ts'
import type { Log } from './log.ts'

type Fields = Readonly<Record<string, unknown>>
type Level = 'info' | 'warn'

type Group = Readonly<{ level: Level; event: string; lines: Fields[] }>

export type GroupedLog = Log &
  Readonly<{
    /** Writes gathered lines and stops gathering. */
    close(): void
  }>

const windowMs = 10 * second

/**
 * Merges info and warn lines of runs by job and event within ten seconds, adding numbers. Debug logs, errors and other
 * lines are not delayed.
 */
export function openGroupedLog(log: Log, waitMs = windowMs): GroupedLog {
  const groups = new Map<string, Group>()
  let timer: NodeJS.Timeout | undefined
  let isClosed = false
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    const gathered = [...groups.values()]
    groups.clear()
    for (const { level, event, lines } of gathered) log[level](event, merged(lines))
  }
  const gather = (level: Level) => (event: string, fields?: object) => {
    const line: Fields = { ...fields }
    if (isClosed || line.job === undefined) return log[level](event, fields)
    const key = JSON.stringify([level, event, line.job, line.queue, line.reason])
    const group = groups.get(key) ?? { level, event, lines: [] }
    groups.set(key, group)
    group.lines.push(line)
    timer ??= setTimeout(flush, waitMs).unref()
  }
  return {
    debug: log.debug,
    info: gather('info'),
    warn: gather('warn'),
    error: (event, fields) => {
      // Earlier lines come before the error.
      flush()
      log.error(event, fields)
    },
    close: () => {
      isClosed = true
      flush()
    },
  }
}

/** Specific to a run; dropped from merged lines. */
const ofOneRun = new Set(['runId', 'jobId', 'attempt', 'trace_id', 'span_id', 'tookMs'])

const shownValues = 5

function merged(lines: readonly Fields[]): Fields {
  const [first, ...others] = lines
  if (first === undefined || others.length === 0) return first ?? {}
  const names = [...new Set(lines.flatMap(Object.keys))].filter((name) => !ofOneRun.has(name))
  const values = names.map((name) => [name, together(lines.map((line) => line[name]))])
  return { times: lines.length, ...Object.fromEntries(values) }
}

/** Adds numbers; keeps the first few distinct texts. */
function together(values: readonly unknown[]): unknown {
  const given = values.filter((value) => value !== undefined && value !== null)
  if (given.every((value) => typeof value === 'number'))
    return given.reduce((sum: number, value) => sum + Number(value), 0)
  const distinct = new Map(given.flat().map((value) => [JSON.stringify(value), value]))
  const different = [...distinct.values()]
  if (different.length <= 1 && !given.some(Array.isArray)) return different[0]
  const more = different.length - shownValues
  return more > 0 ? [...different.slice(0, shownValues), `${more} more`] : different
}
