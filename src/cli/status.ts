import { Command } from 'commander'
import { jobs, queues } from '../../jobs/catalog.ts'
import { second } from '../market/instant.ts'
import { type Timeframe, timeframes } from '../market/timeframe.ts'
import { readVersion } from '../settings/version.ts'
import type { Freshness, SeriesStatus } from '../web/status/series.ts'
import { collectStatus, type Status } from '../web/status/status.ts'
import { answer, bytesText, countText, spanText, table } from './output.ts'
import { withFleet } from './session.ts'

export const statusCommand = (): Command =>
  new Command('status')
    .description('How it is doing: freshness, last runs, queues. The same facts as the page.')
    .option('--json', 'answer as JSON, as /api/status does')
    .action(({ json }: { json?: boolean }) =>
      withFleet(async ({ settings, database, clock, log }, { engine, stops }) => {
        const status = await collectStatus({
          settings,
          pool: database.pool,
          engine,
          stops,
          jobs,
          queues,
          clock,
          log,
          startedAt: undefined,
          version: readVersion(),
        })
        answer(json, status, () => statusText(status))
      }),
    )

function statusText(status: Status): string {
  const {
    overall,
    process: { database, queueEngine, hasWorkers },
  } = status
  const sections = [
    [overall.sentence, ...overall.others].join('\n'),
    status.series.length === 0 ? 'No coin is followed.' : freshnessTable(status.series),
    `Last runs\n${runsTable(status)}`,
    `Workers: ${hasWorkers ? 'running' : 'none; start some with npm start'}. Queue: ${queueEngine}. PostgreSQL ${database.version}, ${bytesText(database.bytes)}.`,
  ]
  return sections.join('\n\n')
}

const marks: Readonly<Record<Freshness, string>> = {
  fresh: '',
  late: ' late',
  stale: ' stale',
  empty: 'nothing yet',
}

function freshnessTable(series: readonly SeriesStatus[]): string {
  const coins = [...new Set(series.map(({ coinId }) => coinId))]
  const shown = timeframes.filter((name) => series.some(({ timeframe }) => timeframe === name))
  const cell = (coinId: string, timeframe: Timeframe) => {
    const found = series.find((candidate) => candidate.coinId === coinId && candidate.timeframe === timeframe)
    if (!found) return ''
    return `${found.secondsBehind === null ? '' : spanText(found.secondsBehind * second)}${marks[found.state]}`
  }
  return table(coins, [
    { title: 'behind', of: (coinId) => coinId },
    ...shown.map((timeframe) => ({
      title: timeframe,
      of: (coinId: string) => cell(coinId, timeframe),
      align: 'right' as const,
    })),
  ])
}

const shownRuns = 10

const runsTable = ({ runs }: Status): string =>
  runs.length === 0
    ? 'none yet'
    : table(runs.slice(0, shownRuns), [
        { title: 'started (UTC)', of: ({ startedAt }) => startedAt.slice(0, 19).replace('T', ' ') },
        { title: 'job', of: ({ job }) => job },
        { title: 'attempt', of: ({ attempt }) => countText(attempt), align: 'right' },
        { title: 'status', of: ({ status }) => status },
        { title: 'why', of: ({ error }) => error ?? '' },
      ])
