import { minute, second } from '../../market/instant.ts'
import { hasWorkers } from '../../runtime/presence.ts'
import { type Freshness, readSeries, type SeriesStatus } from '../../status/series.ts'
import { counted, lengthInWords } from '../../status/words.ts'
import { listCoins } from '../../store/coins.ts'
import { databaseOf } from '../../store/transaction.ts'
import { type Check, type Deps, error, type Finding, warning } from './check.ts'
import { shortened } from './words.ts'

/** New coins have no candles yet. */
const settlingMs = 10 * minute

const seriesOf = async ({ pool, settings, now }: Deps): Promise<SeriesStatus[]> => {
  const db = databaseOf(pool)
  return readSeries(db, settings, await listCoins(db), now)
}

export const freshness: Check = {
  name: 'freshness',
  run: async (deps) => {
    const series = await seriesOf(deps)
    if (series.length === 0) return [warning('No coin is tracked.', 'npx beacon coins add bitcoin')]
    const queueKind = deps.settings.environment.redisUrl === undefined ? 'postgres' : 'redis'
    const remedy = (await hasWorkers(deps.pool, queueKind))
      ? 'See why its runs fail: npx beacon status'
      : 'No process works on the queues, start one: npx beacon start'
    const inState = (state: Freshness) => series.filter((one) => one.state === state)
    const isNew = ({ trackedFrom }: SeriesStatus) => deps.now - Date.parse(trackedFrom) < settlingMs
    const empty = inState('empty')
    const finding = empty.every(isNew) ? warning : error
    return [
      ...groups(inState('stale')).map((group) =>
        error(`${namesOf(group)} had no candle for ${longest(group)}.`, remedy),
      ),
      ...groups(empty).map((group) => finding(`${namesOf(group)} no candle yet.`, remedy)),
      ...groups(inState('late')).map((group) =>
        warning(`${namesOf(group)} had no candle for ${longest(group)}.`, remedy),
      ),
    ]
  },
}

export const missingWork: Check = {
  name: 'missing',
  run: async (deps): Promise<Finding[]> => {
    const incomplete = (await seriesOf(deps)).filter(({ missingCandles }) => missingCandles > 0)
    if (incomplete.length === 0) return []
    const candles = incomplete.reduce((sum, { missingCandles }) => sum + missingCandles, 0)
    const names = [...new Set(incomplete.map(({ coinId, timeframe }) => `${coinId} ${timeframe}`))]
    return [
      warning(
        `${counted(candles, 'candle')} of ${shortened(names)} still to be fetched.`,
        'The daemon fetches them; now: npx beacon gaps --repair',
      ),
    ]
  },
}

/** Usually one cause. */
type Group = readonly [SeriesStatus, ...SeriesStatus[]]

function groups(series: readonly SeriesStatus[]): Group[] {
  const found = new Map<string, [SeriesStatus, ...SeriesStatus[]]>()
  for (const one of series) {
    const group = found.get(`${one.source} ${one.timeframe}`)
    if (group) group.push(one)
    else found.set(`${one.source} ${one.timeframe}`, [one])
  }
  return [...found.values()]
}

/** `1m of bitcoin, ethereum (binance) have` */
const namesOf = (group: Group): string => {
  const [{ timeframe, source }] = group
  return `${timeframe} of ${shortened(group.map(({ coinId }) => coinId))} (${source}) ${group.length === 1 ? 'has' : 'have'}`
}

const longest = (group: Group): string =>
  lengthInWords(Math.max(...group.map(({ secondsBehind }) => secondsBehind ?? 0)) * second)
