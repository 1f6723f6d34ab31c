import { second } from '../market/instant.ts'
import { type Timeframe, timeframes } from '../market/timeframe.ts'
import type { Freshness, SeriesStatus } from '../status/series.ts'
import type { Status } from '../status/status.ts'
import { counted } from '../status/words.ts'
import { bytesText, countText, spanText } from './output.ts'
import { columnsOf, cutTo, headOf } from './terminal/columns.ts'
import { table } from './terminal/table.ts'

/** One fewer than a terminal has: the prompt takes the last. */
const mostLines = 23
const mostColumns = 80

/** Of what the headline leaves to say, and of the alerts: the rest is counted. */
const shownOthers = 2
const shownAlerts = 3
/** The runs give way to all the rest, but not altogether. */
const fewestRuns = 3

type StatusText = Readonly<{
  status: Status
  /** The sentences of the open alerts, the oldest first. */
  alerts: readonly string[]
  colours: boolean
}>

type Colour = 'red' | 'yellow' | 'green'
const codes: Readonly<Record<Colour, string>> = { red: '31', yellow: '33', green: '32' }

/** The status for a terminal of 24 lines and 80 columns, whatever there is: what does not fit is summed up. */
export function statusText({ status, alerts, colours }: StatusText): string {
  const paint = (text: string, colour: Colour) =>
    colours ? `\u001b[${codes[colour]}m${text}\u001b[39m` : text
  const { overall, series, runs, process } = status
  const state = { ok: 'green', 'catching-up': 'yellow', attention: 'red' } as const
  const headline = [
    ...wrapped(overall.sentence).map((line) => paint(line, state[overall.state])),
    ...shortened(overall.others, shownOthers).map(cut),
  ]
  const marked = alerts.map((sentence) => `! ${sentence}`)
  const open = shortened(marked, shownAlerts).map((line) => paint(cut(line), 'red'))
  const last = footer(process)
  const taken = headline.length + open.length + 1 + last.length + 1
  const fresh = freshnessLines(series, mostLines - taken - (fewestRuns + 2))
  const left = mostLines - taken - (fresh.length + 1)
  const painted = fresh.map((line, index) => (index === 0 ? line : paintFreshness(line, paint)))
  return [headline.concat(open), painted, runLines(runs, left, paint), last]
    .map((section) => section.join('\n'))
    .join('\n\n')
}

const paintFreshness = (line: string, paint: (text: string, colour: Colour) => string): string =>
  line.replaceAll(/(?<= )(?:late|stale|nothing yet)(?= |$)/g, (word) =>
    paint(word, word === 'late' ? 'yellow' : 'red'),
  )

/** Cut to the width of the terminal. */
const cut = (line: string): string => cutTo(mostColumns, line)

/** The one sentence to read, on as many lines as it needs, up to these. */
const mostHeadlines = 4

function wrapped(sentence: string, most = mostHeadlines): string[] {
  if (columnsOf(sentence) <= mostColumns || most === 1) return [cut(sentence)]
  // A column more, for the space that need not be shown.
  const room = headOf(mostColumns + 1, sentence)
  const at = room.lastIndexOf(' ')
  const first = at > 0 ? room.slice(0, at) : headOf(mostColumns, sentence)
  return [first, ...wrapped(sentence.slice(first.length).trimStart(), most - 1)]
}

/** The first so many, and how many more there are; in place of `1 more` it can stand itself. */
function shortened(lines: readonly string[], most: number): string[] {
  const left = lines.length - most
  return left > 1 ? [...lines.slice(0, most), `and ${countText(left)} more`] : [...lines]
}

function footer({ hasWorkers, queueEngine, database }: Status['process']): string[] {
  const workers = hasWorkers ? 'running' : 'none; start some with npm start'
  const sentences = `Workers: ${workers}. Queue: ${queueEngine}.`
  const server = `PostgreSQL ${database.version}, ${bytesText(database.bytes)}.`
  const line = `${sentences} ${server}`
  return columnsOf(line) <= mostColumns ? [line] : [sentences, server]
}

const marks: Readonly<Record<Freshness, string>> = {
  fresh: '',
  late: ' late',
  stale: ' stale',
  empty: 'nothing yet',
}

/** A line for each coin where they fit, otherwise one for each timeframe. */
function freshnessLines(series: readonly SeriesStatus[], most: number): string[] {
  if (series.length === 0) return ['No coin is followed.']
  const byCoin = coinTable(series).split('\n')
  const fits = byCoin.length <= most && byCoin.every((line) => columnsOf(line) <= mostColumns)
  return fits ? byCoin : shortened(timeframeTable(series).split('\n').map(cut), most - 1)
}

const lag = ({ secondsBehind }: SeriesStatus): string =>
  secondsBehind === null ? '' : spanText(secondsBehind * second)

const timeframesIn = (series: readonly SeriesStatus[]): Timeframe[] =>
  timeframes.filter((name) => series.some(({ timeframe }) => timeframe === name))

function coinTable(series: readonly SeriesStatus[]): string {
  const coins = [...new Set(series.map(({ coinId }) => coinId))]
  const cell = (coinId: string, timeframe: Timeframe) => {
    const found = series.find((one) => one.coinId === coinId && one.timeframe === timeframe)
    return found ? `${lag(found)}${marks[found.state]}` : ''
  }
  return table(coins, [
    { title: 'behind', of: (coinId) => coinId },
    ...timeframesIn(series).map((timeframe) => ({
      title: timeframe,
      of: (coinId: string) => cell(coinId, timeframe),
      align: 'right' as const,
    })),
  ])
}

function timeframeTable(series: readonly SeriesStatus[]): string {
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
  return table(rows, [
    { title: counted(coins, 'coin'), of: ([one]) => one?.timeframe ?? '' },
    { title: 'fresh', of: inState('fresh'), align },
    { title: 'late', of: inState('late'), align },
    { title: 'stale', of: inState('stale'), align },
    { title: 'none yet', of: inState('empty'), align },
    { title: 'behind', of: usual, align },
    { title: 'at most', of: worst },
  ])
}

const behind = ({ secondsBehind }: SeriesStatus): number => secondsBehind ?? 0

function runLines(
  runs: Status['runs'],
  most: number,
  paint: (text: string, colour: Colour) => string,
): string[] {
  if (runs.length === 0) return ['No run yet.']
  const lines = table(runs.slice(0, most - 1), [
    { title: 'started (UTC)', of: ({ startedAt }) => startedAt.slice(5, 19).replace('T', ' ') },
    { title: 'last runs', of: (run) => cutTo(34, runName(run)) },
    { title: 'status', of: ({ status, attempt }) => (attempt === 1 ? status : `${status} (${attempt}.)`) },
    { title: 'why', of: ({ error }) => error?.replaceAll(/\s+/g, ' ') ?? '' },
  ])
  return lines
    .split('\n')
    .map(cut)
    .map((line) => line.replace(/(?<= {2})failed\b/, (word) => paint(word, 'red')))
}

/** `ingest-candles binance 1m` */
const runName = ({ job, subject }: Status['runs'][number]): string =>
  [job, subject.source, subject.coinId ?? subject.view, subject.timeframe]
    .filter((part) => part !== undefined)
    .join(' ')
