import { second } from '../market/instant.ts'
import type { Log } from './log.ts'

type Fields = Readonly<Record<string, unknown>>
type Level = 'info' | 'warn'

/** Lines of runs of one job that say the same, and are written as one. */
type Group = Readonly<{ level: Level; event: string; lines: Fields[] }>

export type GroupedLog = Log &
  Readonly<{
    /** Writes what has been gathered, and gathers no more. */
    close(): void
  }>

const windowMs = 10 * second

/**
 * Writes the lines of runs at info and warn together: those of one job and event within ten seconds as one, with their numbers
 * added up. At debug every line is written as it is; lines of no run, and errors, are never held back.
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
      // What led to an error stands before it.
      flush()
      log.error(event, fields)
    },
    close: () => {
      isClosed = true
      flush()
    },
  }
}

/** They tell runs apart, and are of no use once those are written as one. */
const ofOneRun = new Set(['runId', 'jobId', 'attempt', 'trace_id', 'span_id', 'tookMs'])

const shownValues = 5

function merged(lines: readonly Fields[]): Fields {
  const [first, ...others] = lines
  if (first === undefined || others.length === 0) return first ?? {}
  const names = [...new Set(lines.flatMap(Object.keys))].filter((name) => !ofOneRun.has(name))
  const values = names.map((name) => [name, together(lines.map((line) => line[name]))])
  return { times: lines.length, ...Object.fromEntries(values) }
}

/** Numbers are added up; of texts and lists the first few that differ are kept. */
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
