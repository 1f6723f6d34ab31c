import { isUnreachableText } from '../../http/reachability.ts'
import { second } from '../../market/instant.ts'
import { type Timeframe, timeframes } from '../../market/timeframe.ts'
import type { Freshness, SeriesStatus } from '../../status/series.ts'
import type { Status } from '../../status/status.ts'
import { counted } from '../../status/words.ts'
import { cutTo } from '../terminal/columns.ts'
import { bytesText, countText, spanText } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { wrap } from '../terminal/wrap.ts'

/** Limits; the rest is counted. */
const shownOthers = 2
const shownAlerts = 5
/** Minimum of runs shown. */
const fewestRuns = 3

type StatusText = Readonly<{
  status: Status
  /** Oldest first. */
  alerts: readonly string[]
  colours: boolean
  size: Readonly<{ width: number; height: number }>
}>

type Colour = 'red' | 'yellow' | 'green'
const codes: Readonly<Record<Colour, string>> = { red: '31', yellow: '33', green: '32' }
type Paint = (text: string, colour: Colour) => string

/** Coins and runs fill the height; alerts and errors are complete. */
export function statusText({ status, alerts, colours, size }: StatusText): string {
  const paint: Paint = (text, colour) => (colours ? `\u001b[${codes[colour]}m${text}\u001b[39m` : text)
  const { overall, series, runs, process } = status
  const { isNetworkDown } = status.unreachable
  const state = { ok: 'green', 'catching-up': 'yellow', attention: 'red' } as const
  const { width } = size
  // Leaves a line for the prompt.
  const mostLines = size.height - 1
  const headline = [
    ...wrap(overall.message, width).map((line) => paint(line, state[overall.state])),
    ...shortened(overall.others, shownOthers).flatMap((message) => wrap(message, width)),
  ]
  const open = shortened(
    alerts.map((message) => `! ${message}`),
    shownAlerts,
  ).flatMap((alert) => wrap(alert, width).map((line) => paint(line, 'red')))
  const last = wrap(footer(process), width)
  const errors = errorLines(isNetworkDown ? withoutOutages(runs) : runs, width)
  const taken = headline.length + open.length + 1 + last.length + 1 + errors.length
  const fresh = freshnessLines(series, { width, most: mostLines - taken - (fewestRuns + 2) })
  const left = Math.max(fewestRuns + 1, mostLines - taken - (fresh.length + 1))
  const painted = fresh.map((line, index) => (index === 0 ? line : paintFreshness(line, paint)))
  return [headline.concat(open), painted, [...runLines(runs, { width, most: left }, paint), ...errors], last]
    .map((section) => section.join('\n'))
    .join('\n\n')
}

const paintFreshness = (line: string, paint: Paint): string =>
  line.replaceAll(/(?<= )(?:late|stale|nothing yet)(?= |$)/g, (word) =>
    paint(word, word === 'late' ? 'yellow' : 'red'),
  )

/** Shows all rather than `1 more`. */
function shortened(lines: readonly string[], most: number): string[] {
  const left = lines.length - most
  return left > 1 ? [...lines.slice(0, most), `and ${countText(left)} more`] : [...lines]
}

function footer({ hasWorkers, queueEngine, database }: Status['process']): string {
  const workers = hasWorkers ? 'running' : 'none; start some with npm start'
  return `Workers: ${workers}. Queue: ${queueEngine}. PostgreSQL ${database.version}, ${bytesText(database.bytes)}.`
}

const marks: Readonly<Record<Freshness, string>> = {
  fresh: '',
  late: ' late',
  stale: ' stale',
  empty: 'nothing yet',
}

type Room = Readonly<{ width: number; most: number }>

/** Per coin if it fits, else per timeframe. */
function freshnessLines(series: readonly SeriesStatus[], { width, most }: Room): string[] {
  if (series.length === 0) return ['No coin is tracked.']
  const byCoin = coinTable(series, width).split('\n')
  return byCoin.length <= most ? byCoin : timeframeTable(series, width).split('\n')
}

const lag = ({ secondsBehind }: SeriesStatus): string =>
  secondsBehind === null ? '' : spanText(secondsBehind * second)

const timeframesIn = (series: readonly SeriesStatus[]): Timeframe[] =>
  timeframes.filter((name) => series.some(({ timeframe }) => timeframe === name))

function coinTable(series: readonly SeriesStatus[], width: number): string {
  const coins = [...new Set(series.map(({ coinId }) => coinId))]
  const cell = (coinId: string, timeframe: Timeframe) => {
    const found = series.find((one) => one.coinId === coinId && one.timeframe === timeframe)
    return found ? `${lag(found)}${marks[found.state]}` : ''
  }
  const columns = [
    { title: 'behind', of: (coinId: string) => coinId },
    ...timeframesIn(series).map((timeframe) => ({
      title: timeframe,
      of: (coinId: string) => cell(coinId, timeframe),
      align: 'right' as const,
    })),
  ]
  return table(coins, columns, { width })
}

function timeframeTable(series: readonly SeriesStatus[], width: number): string {
  const coins = new Set(series.map(({ coinId }) => coinId)).size
  const rows = timeframesIn(series).map((name) => series.filter(({ timeframe }) => timeframe === name))
  const inState = (state: Freshness) => (row: readonly SeriesStatus[]) => {
    const count = row.filter((one) => one.state === state).length
    return count === 0 ? '' : countText(count)
  }
  const lags = (row: readonly SeriesStatus[]) =>
    row.filter(({ secondsBehind }) => secondsBehind !== null).toSorted((a, b) => behind(a) - behind(b))
  const worst = (row: readonly SeriesStatus[]) => {
    const [last] = lags(row).slice(-1)
    return last ? `${lag(last)} (${cutTo(20, last.coinId)})` : ''
  }
  const usual = (row: readonly SeriesStatus[]) => {
    const middle = lags(row)[Math.floor(lags(row).length / 2)]
    return middle ? lag(middle) : ''
  }
  const align = 'right' as const
  const columns = [
    { title: counted(coins, 'coin'), of: ([one]: readonly SeriesStatus[]) => one?.timeframe ?? '' },
    { title: 'fresh', of: inState('fresh'), align },
    { title: 'late', of: inState('late'), align },
    { title: 'stale', of: inState('stale'), align },
    { title: 'none yet', of: inState('empty'), align },
    { title: 'behind', of: usual, align },
    { title: 'at most', of: worst },
  ]
  return table(rows, columns, { width })
}

const behind = ({ secondsBehind }: SeriesStatus): number => secondsBehind ?? 0

type Run = Status['runs'][number]

function runLines(runs: Status['runs'], { width, most }: Room, paint: Paint): string[] {
  if (runs.length === 0) return ['No run yet.']
  const columns = [
    { title: 'started (UTC)', of: ({ startedAt }: Run) => startedText(startedAt) },
    { title: 'last runs', of: runName },
    { title: 'status', of: statusWords },
  ]
  return table(runs.slice(0, Math.max(fewestRuns, most - 1)), columns, { width })
    .split('\n')
    .map((line) => line.replace(/(?<= {2})failed\b/, (word) => paint(word, 'red')))
}

const startedText = (startedAt: string): string => startedAt.slice(5, 19).replace('T', ' ')

const statusWords = ({ status, attempt }: Run): string =>
  attempt === 1 ? status : `${status} (attempt ${attempt})`

/** Covered by the headline. */
const withoutOutages = (runs: Status['runs']): Run[] =>
  runs.filter(({ error }) => error === null || !isUnreachableText(error))

/** Each reason once, with its newest run. */
function errorLines(runs: Status['runs'], width: number): string[] {
  const reasons = new Map<string, Run[]>()
  for (const run of runs) {
    if (run.status !== 'failed' || run.error === null) continue
    const key = `${run.job} ${run.error}`
    reasons.set(key, [...(reasons.get(key) ?? []), run])
  }
  const lines = [...reasons.values()].flatMap(([run, ...others]) => {
    if (run === undefined) return []
    const also = others.length === 0 ? '' : ` and ${countText(others.length)} more`
    return wrap(`${startedText(run.startedAt)} ${runName(run)}${also}: ${run.error}`, width)
  })
  return lines.length === 0 ? [] : ['', 'Why runs failed:', ...lines]
}

const runName = ({ job, subject }: Run): string =>
  [job, subject.source, subject.coinId ?? subject.view, subject.timeframe]
    .filter((part) => part !== undefined)
    .join(' ')
